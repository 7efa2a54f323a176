/** The secrets of a function, from AWS Secrets Manager when it starts: neither its configuration nor its package holds them. */
import { mkdtemp, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { AwsClient } from 'aws4fetch';
import { defined } from '../contract/defined.ts';
import { GuestflowError } from '../contract/errors.ts';
import { parsedJson } from '../system/parsed-json.ts';

/** Names the secret, by its whole ARN. */
export const SECRET_VARIABLE = 'GUESTFLOW_SECRET_ARN';

/** Keys that become environment variables of this process, for those who read Temporal's configuration. */
const VARIABLES: ReadonlySet<string> = new Set([
  'TEMPORAL_API_KEY',
  'TEMPORAL_TLS_CLIENT_CERT_DATA',
  'TEMPORAL_TLS_CLIENT_KEY_DATA',
  'TEMPORAL_TLS_SERVER_CA_CERT_DATA',
]);

/** Files that are named by a variable. The others are looked for by their names, as systemd's credentials are. */
const NAMED_FILES: Readonly<Record<string, string>> = {
  'notify.yaml': 'GUESTFLOW_NOTIFY',
  'plans.yaml': 'GUESTFLOW_PLANS',
  'prices.yaml': 'GUESTFLOW_PRICES',
};

const ARN = /^arn:(aws[a-z-]*):secretsmanager:([a-z0-9-]+):\d{12}:secret:\S+$/;
const LIMIT_MS = 10_000;

/**
 * Reads the secret that `GUESTFLOW_SECRET_ARN` names, a JSON object of texts: `TEMPORAL_…` become variables of `env`, other keys (`tokens`,
 * `codec-keys`, `plans.yaml`) files of a new directory that only this user can read, which is `CREDENTIALS_DIRECTORY` from then on. Does nothing when the
 * variable is unset. What the secret says wins.
 *
 * @param env has AWS's credentials, as every function has; it is changed.
 * @throws GuestflowError InvalidInput when the secret may not be read, or is of another form; Unreachable when nobody answers within 10 s
 */
export async function loadFunctionSecret(env: NodeJS.ProcessEnv = process.env): Promise<void> {
  const arn = env[SECRET_VARIABLE] ?? '';
  if (arn === '') return;
  const entries = Object.entries(entriesOf(await secretText(arn, env)));
  const directory = await mkdtemp(join(tmpdir(), 'guestflow-secret-'));
  for (const [key, value] of entries) {
    if (VARIABLES.has(key)) {
      env[key] = value;
      continue;
    }
    const path = join(directory, key);
    await writeFile(path, value, { mode: 0o600 });
    const variable = NAMED_FILES[key];
    if (variable !== undefined) env[variable] = path;
  }
  env['CREDENTIALS_DIRECTORY'] = directory;
}

/** @returns the secret's text, by `GetSecretValue` */
async function secretText(arn: string, env: NodeJS.ProcessEnv): Promise<string> {
  const [, partition = '', region = ''] = ARN.exec(arn) ?? [];
  if (region === '') throw refusal(`"${arn}" is no ARN of a secret`);
  const response = await ask(arn, region, endpointOf(partition, region, env), env);
  const answer = (await response.json().catch(() => ({}))) as { SecretString?: unknown; __type?: unknown };
  // AWS's own words may quote what was asked; its code says enough.
  if (!response.ok) throw refusal(`AWS does not give the secret: ${response.status} ${codeOf(answer.__type)}`);
  if (typeof answer.SecretString !== 'string') throw refusal('the secret is no text');
  return answer.SecretString;
}

async function ask(arn: string, region: string, endpoint: string, env: NodeJS.ProcessEnv): Promise<Response> {
  const { AWS_ACCESS_KEY_ID: accessKeyId, AWS_SECRET_ACCESS_KEY: secretAccessKey, AWS_SESSION_TOKEN: sessionToken } = env;
  if (accessKeyId === undefined || secretAccessKey === undefined) throw refusal('this process has no credentials of AWS');
  const client = new AwsClient({
    accessKeyId,
    secretAccessKey,
    ...defined({ sessionToken }),
    service: 'secretsmanager',
    region,
    retries: 3,
  });
  const headers = { 'content-type': 'application/x-amz-json-1.1', 'x-amz-target': 'secretsmanager.GetSecretValue' };
  const body = JSON.stringify({ SecretId: arn });
  try {
    return await client.fetch(endpoint, { method: 'POST', headers, body, signal: AbortSignal.timeout(LIMIT_MS) });
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new GuestflowError('Unreachable', `AWS Secrets Manager does not answer at ${endpoint}: ${why}`, { field: SECRET_VARIABLE });
  }
}

function endpointOf(partition: string, region: string, env: NodeJS.ProcessEnv): string {
  const own = env['AWS_ENDPOINT_URL_SECRETS_MANAGER'] ?? '';
  return own === '' ? `https://secretsmanager.${region}.amazonaws.com${partition === 'aws-cn' ? '.cn' : ''}/` : own;
}

/** A code like `com.amazonaws.secretsmanager#AccessDeniedException` without what stands before it. */
function codeOf(type: unknown): string {
  return typeof type === 'string' ? (type.split('#').at(-1) ?? '') : 'without a reason';
}

/** The object in the text. What is wrong is said without a value. */
function entriesOf(text: string): Readonly<Record<string, string>> {
  const found = parsedJson(text);
  if (typeof found !== 'object' || found === null || Array.isArray(found)) throw refusal('the secret is no JSON object');
  for (const [key, value] of Object.entries(found)) {
    if (!VARIABLES.has(key) && !/^[a-z][a-z0-9-]*(\.yaml)?$/.test(key)) throw refusal(`the secret has a key "${key}" that nobody reads`);
    if (typeof value !== 'string' || value === '') throw refusal(`the secret's "${key}" is no text`);
  }
  return found as Readonly<Record<string, string>>;
}

function refusal(message: string): GuestflowError {
  return new GuestflowError('InvalidInput', message, {
    field: SECRET_VARIABLE,
    mend: "see docs/serverless.md for what the secret holds, and whether the function's role may read it",
  });
}
