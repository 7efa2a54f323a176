/** The stand-in for AWS refuses what AWS refuses: held against the examples that AWS has published for signatures. */
import { createHash, createHmac } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pino from 'pino';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { checkSignature, type Credentials, type SignedRequest } from '../../../lab/aws/signature.ts';
import { startStandIn, type StandIn } from '../../../lab/aws/stand-in.ts';

/** `get-vanilla` of the test suite for Signature Version 4. */
const EXAMPLE = {
  credentials: { accessKeyId: 'AKIDEXAMPLE', secretAccessKey: 'wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY' },
  now: Date.parse('2015-08-30T12:36:00Z'),
  signature: '5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31',
};

function example(other: Partial<SignedRequest> = {}): SignedRequest {
  const authorization = `AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, SignedHeaders=host;x-amz-date, Signature=${EXAMPLE.signature}`;
  const headers = new Headers({ host: 'example.amazonaws.com', 'x-amz-date': '20150830T123600Z', authorization });
  return { method: 'GET', path: '/', headers, body: '', ...other };
}

const knowing = (credentials: Credentials) => (id: string) => (id === credentials.accessKeyId ? credentials : undefined);

describe('a signature', () => {
  it('that AWS has published as an example is taken', () => {
    expect(checkSignature(example(), 'service', knowing(EXAMPLE.credentials), EXAMPLE.now)).toBe('us-east-1');
  });

  it.each<[string, Partial<SignedRequest>, string]>([
    ['of another body', { body: 'a' }, 'SignatureDoesNotMatch'],
    ['of another path', { path: '/other' }, 'SignatureDoesNotMatch'],
    ['of another method', { method: 'POST' }, 'SignatureDoesNotMatch'],
    ['that is missing', { headers: new Headers({ host: 'example.amazonaws.com' }) }, 'MissingAuthenticationToken'],
  ])('%s is refused', (_what, other, code) => {
    expect(() => checkSignature(example(other), 'service', knowing(EXAMPLE.credentials), EXAMPLE.now)).toThrow(
      expect.objectContaining({ code, status: 403 }) as Error,
    );
  });

  it('of another service, of nobody, of another secret, or of an hour ago is refused', () => {
    const known = knowing(EXAMPLE.credentials);
    const other = knowing({ ...EXAMPLE.credentials, secretAccessKey: 'guessed' });
    expect(() => checkSignature(example(), 'lambda', known, EXAMPLE.now)).toThrow('it is signed for service');
    expect(() => checkSignature(example(), 'service', () => undefined, EXAMPLE.now)).toThrow('token included in the request is invalid');
    expect(() => checkSignature(example(), 'service', other, EXAMPLE.now)).toThrow('does not match');
    expect(() => checkSignature(example(), 'service', known, EXAMPLE.now + 3_600_000)).toThrow('too old');
  });
});

describe('the stand-in', () => {
  const ARN = 'arn:aws:lambda:us-east-1:000000000000:function:f:1';
  let directory: string;
  let standIn: StandIn;
  beforeAll(async () => {
    directory = mkdtempSync(join(tmpdir(), 'guestflow-aws-'));
    const limits = { memoryMiB: 512, timeoutSeconds: 10, concurrency: 1, environment: {} };
    standIn = await startStandIn({
      functions: [{ arn: ARN, name: 'f', taskRoot: directory, handler: 'f.handler', ...limits }],
      externalId: 'the-external-id',
      logFile: join(directory, 'log'),
      log: pino({ level: 'silent' }),
    });
  });
  afterAll(async () => {
    await standIn.stop();
    rmSync(directory, { recursive: true });
  });

  const caller = (): Credentials => ({
    accessKeyId: standIn.environment['AWS_ACCESS_KEY_ID'] ?? '',
    secretAccessKey: standIn.environment['AWS_SECRET_ACCESS_KEY'] ?? '',
  });

  interface Asked {
    readonly method?: string;
    readonly path?: string;
    readonly headers?: Record<string, string>;
    readonly body?: string;
    readonly region?: string;
  }

  /** Signs it as the SDKs do, and sends it. */
  async function ask(service: string, { accessKeyId, secretAccessKey, sessionToken }: Credentials, asked: Asked): Promise<Response> {
    const { method = 'POST', path = '/', body = '', region = 'us-east-1' } = asked;
    const url = standIn.environment['AWS_ENDPOINT_URL_STS'] ?? '';
    const time = new Date().toISOString().replaceAll(/[-:]|\.\d+/g, '');
    const signed: Record<string, string> = { host: new URL(url).host, 'x-amz-date': time, ...asked.headers };
    if (sessionToken !== undefined) signed['x-amz-security-token'] = sessionToken;
    const names = Object.keys(signed).sort();
    const hash = (text: string): string => createHash('sha256').update(text).digest('hex');
    const lines = names.map((name) => `${name}:${signed[name] ?? ''}\n`).join('');
    const encoded = path.split('/').map(encodeURIComponent).join('/');
    const scope = [time.slice(0, 8), region, service, 'aws4_request'];
    const text = `AWS4-HMAC-SHA256\n${time}\n${scope.join('/')}\n${hash(`${method}\n${encoded}\n\n${lines}\n${names.join(';')}\n${hash(body)}`)}`;
    const hmac = (key: Buffer | string, part: string): Buffer => createHmac('sha256', key).update(part).digest();
    const signature = hmac(scope.reduce<Buffer | string>(hmac, `AWS4${secretAccessKey}`), text).toString('hex');
    const authorization = `AWS4-HMAC-SHA256 Credential=${accessKeyId}/${scope.join('/')}, SignedHeaders=${names.join(';')}, Signature=${signature}`;
    const { host: _host, ...headers } = signed;
    return fetch(`${url}${path}`, { method, headers: { ...headers, authorization }, ...(method === 'POST' ? { body } : {}) });
  }

  const form = (fields: Record<string, string>): Asked => ({
    headers: { 'content-type': 'application/x-www-form-urlencoded' },
    body: new URLSearchParams({ Action: 'AssumeRole', Version: '2011-06-15', RoleSessionName: 's', ...fields }).toString(),
  });

  async function lent(): Promise<Credentials> {
    const answer = await ask('sts', caller(), form({ RoleArn: standIn.role.arn, ExternalId: standIn.role.externalId }));
    const xml = await answer.text();
    const of = (name: string): string => new RegExp(`<${name}>(.+)</${name}>`).exec(xml)?.[1] ?? '';
    return { accessKeyId: of('AccessKeyId'), secretAccessKey: of('SecretAccessKey'), sessionToken: of('SessionToken') };
  }

  it.each([
    ['without its external id', {}],
    ['with another external id', { ExternalId: 'guessed' }],
    ['of another name', { RoleArn: 'arn:aws:iam::000000000000:role/other', ExternalId: 'the-external-id' }],
  ])('lends no role %s', async (_what, fields) => {
    const answer = await ask('sts', caller(), form({ RoleArn: standIn.role.arn, ...fields }));
    expect([answer.status, await answer.text()]).toEqual([403, expect.stringContaining('<Code>AccessDenied</Code>')]);
  });

  it('shows a function to its role, in its region, and to nobody else', async () => {
    const look = { method: 'GET', path: `/2015-03-31/functions/${encodeURIComponent(ARN)}` };
    const role = await lent();
    expect((await ask('lambda', role, look)).status).toBe(200);
    expect((await ask('lambda', role, { ...look, region: 'eu-west-1' })).status).toBe(404);
    expect((await ask('lambda', role, { ...look, path: look.path.replace('%3A1', '%3A2') })).status).toBe(404);
    expect((await ask('lambda', caller(), look)).headers.get('x-amzn-errortype')).toBe('InvalidClientTokenId');
    expect((await ask('lambda', { ...role, sessionToken: 'guessed' }, look)).status).toBe(403);
  });

  it('does nothing else than Temporal asks for: no synchronous invocation, no other call', async () => {
    const role = await lent();
    const path = `/2015-03-31/functions/${encodeURIComponent(ARN)}`;
    expect(
      (await ask('lambda', role, { path: `${path}/invocations`, headers: { 'x-amz-invocation-type': 'RequestResponse' } })).status,
    ).toBe(400);
    expect((await ask('lambda', role, { path })).status).toBe(404);
    expect((await ask('sts', caller(), form({ Action: 'GetCallerIdentity' }))).status).toBe(400);
    expect(standIn.invocations()).toBe(0);
  });
});
