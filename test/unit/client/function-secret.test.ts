/** The secret of a function: it is asked for as AWS wants it, and becomes variables and files that guestflow's own readers find. */
import { rmSync, statSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { loadFunctionSecret } from '../../../client/function-secret.ts';
import { gatewayFromEnvironment } from '../../../gateway/from-environment.ts';
import { makeToken } from '../../../gateway/v1/tokens.ts';
import { checkSignature } from '../../../lab/aws/signature.ts';
import { AwsRefusal } from '../../../lab/aws/refusal.ts';
import { serve, type HttpServer } from '../../../system/http/server.ts';
import { readSecretFile } from '../../../system/secrets.ts';

const ARN = 'arn:aws:secretsmanager:eu-central-1:123456789012:secret:guestflow-AbCdEf';
const CREDENTIALS = { accessKeyId: 'ASIAEXAMPLE', secretAccessKey: 'wJalrXUtnFEMIEXAMPLEKEY', sessionToken: 'a-session' };
const API_KEY = 'a-key-that-nobody-may-see';

let secret: string;
let refuse: AwsRefusal | undefined;
let server: HttpServer;
let env: NodeJS.ProcessEnv;

/** Secrets Manager, as far as GetSecretValue goes, with AWS's own check of the signature. */
async function secretsManager(request: Request): Promise<Response> {
  const { method, headers } = request;
  const body = await request.text();
  try {
    const region = checkSignature({ method, path: '/', headers, body }, 'secretsmanager', (id) =>
      id === CREDENTIALS.accessKeyId ? CREDENTIALS : undefined,
    );
    expect([region, headers.get('x-amz-target'), JSON.parse(body)]).toEqual([
      'eu-central-1',
      'secretsmanager.GetSecretValue',
      { SecretId: ARN },
    ]);
    if (refuse !== undefined) throw refuse;
    return Response.json({ SecretString: secret });
  } catch (error) {
    if (!(error instanceof AwsRefusal)) throw error;
    return Response.json({ __type: error.code, Message: error.message }, { status: error.status });
  }
}

beforeEach(async () => {
  refuse = undefined;
  secret = JSON.stringify({ TEMPORAL_API_KEY: API_KEY });
  server = await serve(secretsManager, { port: 0 });
  env = {
    GUESTFLOW_SECRET_ARN: ARN,
    AWS_ENDPOINT_URL_SECRETS_MANAGER: server.url,
    AWS_ACCESS_KEY_ID: CREDENTIALS.accessKeyId,
    AWS_SECRET_ACCESS_KEY: CREDENTIALS.secretAccessKey,
    AWS_SESSION_TOKEN: CREDENTIALS.sessionToken,
  };
});
afterEach(async () => {
  await server.close();
  if (env['CREDENTIALS_DIRECTORY'] !== undefined) rmSync(env['CREDENTIALS_DIRECTORY'], { recursive: true });
});

describe('the secret of a function', () => {
  it('becomes variables of Temporal, and files that only this user can read', async () => {
    secret = JSON.stringify({ TEMPORAL_API_KEY: API_KEY, 'codec-keys': 'k1', 'plans.yaml': 'plans: {}' });
    await loadFunctionSecret(env);
    expect(env['TEMPORAL_API_KEY']).toBe(API_KEY);
    const directory = env['CREDENTIALS_DIRECTORY'] ?? '';
    expect((await readSecretFile(`${directory}/codec-keys`, 'codec-keys')).toString()).toBe('k1');
    expect(env['GUESTFLOW_PLANS']).toBe(`${directory}/plans.yaml`);
    expect([directory, `${directory}/codec-keys`].map((path) => statSync(path).mode & 0o777)).toEqual([0o700, 0o600]);
  });

  it('gives the gateway its tokens', async () => {
    const { token, record } = makeToken('panel', ['plans:read'], new Date());
    secret = JSON.stringify({ tokens: JSON.stringify({ tokens: [record] }) });
    const gateway = await gatewayFromEnvironment(env)();
    const asked = (authorization: string): Promise<Response> =>
      Promise.resolve(gateway(new Request('https://gateway.example/v1/plans', { headers: { authorization } })));
    expect((await asked(`Bearer ${token}`)).status).toBe(200);
    expect((await asked('Bearer another')).status).toBe(401);
  });

  it('is not asked for when no variable names it', async () => {
    env = { AWS_ENDPOINT_URL_SECRETS_MANAGER: server.url };
    await loadFunctionSecret(env);
    expect(env).toEqual({ AWS_ENDPOINT_URL_SECRETS_MANAGER: server.url });
  });

  it.each<[string, () => void, string]>([
    ['that the role may not read', () => (refuse = new AwsRefusal(400, 'AccessDeniedException', 'no')), '400 AccessDeniedException'],
    ['asked for with another key', () => (env['AWS_SECRET_ACCESS_KEY'] = 'guessed'), '403 SignatureDoesNotMatch'],
    ['asked for without credentials', () => delete env['AWS_ACCESS_KEY_ID'], 'no credentials of AWS'],
    ['named by something else', () => (env['GUESTFLOW_SECRET_ARN'] = 'guestflow'), 'is no ARN of a secret'],
    ['that is no JSON object', () => (secret = `["${API_KEY}"]`), 'no JSON object'],
    ['with a key that nobody reads', () => (secret = `{"TEMPORAL_APIKEY": "${API_KEY}"}`), 'key "TEMPORAL_APIKEY" that nobody reads'],
    ['with a file outside its directory', () => (secret = `{"../x": "${API_KEY}"}`), 'key "../x" that nobody reads'],
    ['with a number', () => (secret = '{"TEMPORAL_API_KEY": 7}'), '"TEMPORAL_API_KEY" is no text'],
  ])('%s is refused, and nothing of it is told', async (_what, spoil, why) => {
    spoil();
    const refused = await loadFunctionSecret(env).catch((error: unknown) => error);
    expect(refused).toMatchObject({ type: 'InvalidInput', message: expect.stringContaining(why) as string });
    expect(JSON.stringify(refused)).not.toContain(API_KEY);
    expect(env).not.toHaveProperty('CREDENTIALS_DIRECTORY');
  });

  it('whose manager does not answer leaves a message that says so', async () => {
    env['AWS_ENDPOINT_URL_SECRETS_MANAGER'] = 'http://127.0.0.1:1';
    await expect(loadFunctionSecret(env)).rejects.toMatchObject({ type: 'Unreachable' });
  });
});
