/** The packages of functions: the same bytes each time, lean, and whole: what is in them runs with nothing else. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { unzipSync } from 'fflate';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { functionFiles, type FunctionFiles } from '../../../deploy/serverless/files.ts';
import { zip } from '../../../deploy/serverless/zip.ts';
import { makeToken } from '../../../gateway/v1/tokens.ts';
import { createRunner } from '../../../system/run.ts';

describe('the gateway’s package', () => {
  let directory: string;
  let made: FunctionFiles;
  beforeAll(async () => {
    directory = mkdtempSync(join(tmpdir(), 'guestflow-functions-'));
    made = await functionFiles('gateway');
    for (const [name, content] of Object.entries(unzipSync(zip(made.files)))) {
      mkdirSync(dirname(join(directory, name)), { recursive: true });
      writeFileSync(join(directory, name), content);
    }
    const { record } = makeToken('panel', ['guests:read'], new Date());
    writeFileSync(join(directory, 'tokens'), JSON.stringify({ tokens: [record] }), { mode: 0o600 });
  });
  afterAll(() => {
    rmSync(directory, { recursive: true });
  });

  /** What a script says on standard error: standard output has the gateway's log. */
  const run = async (script: string): Promise<unknown> => {
    const env = { GUESTFLOW_TOKEN_FILE: join(directory, 'tokens'), TEMPORAL_ADDRESS: '127.0.0.1:1' };
    const { stderr } = await createRunner().run(process.execPath, ['-e', script], { cwd: directory, env });
    return JSON.parse(stderr);
  };

  it('is the same bytes each time, and at most 5 MB', async () => {
    const [first, second] = [zip(made.files), zip((await functionFiles('gateway')).files)];
    expect(Buffer.compare(first, second)).toBe(0);
    expect(first.length).toBeLessThan(5_000_000);
  });

  it('is made without the SDK of Temporal’s workers, as its CycloneDX document says', () => {
    const bom = JSON.parse(made.sbom) as {
      specVersion: string;
      components: { group?: string; name: string; purl: string; licenses?: unknown[] }[];
    };
    const names = bom.components.map(({ group, name }) => (group === undefined ? name : `${group}/${name}`));
    expect(names).toEqual(expect.arrayContaining(['@temporalio/client', 'zod', 'stripe']));
    for (const name of ['worker', 'core-bridge', 'lambda-worker', 'workflow']) expect(names).not.toContain(`@temporalio/${name}`);
    expect(bom.components.every(({ purl, licenses = [] }) => /^pkg:npm\/.+@\d/.test(purl) && licenses.length > 0)).toBe(true);
    expect(bom.specVersion).toBe('1.6');
  });

  it('answers events of Lambda', async () => {
    const event = { rawPath: '/healthz', headers: {}, requestContext: { http: { method: 'GET' } } };
    const answer = await run(`
      require('./gateway/lambda.cjs').handler(${JSON.stringify(event)}).then((answer) => console.error(JSON.stringify(answer)));`);
    expect(answer).toMatchObject({ statusCode: 200, body: expect.stringContaining('true') as string });
  });

  it('answers Web-standard requests', async () => {
    const answer = await run(`
      const { default: gateway } = require('./gateway/web.cjs');
      gateway.fetch(new Request('https://gateway.example/v1/guests')).then(({ status }) => console.error(JSON.stringify({ status })));`);
    expect(answer).toEqual({ status: 401 });
  });
});
