/** The REST API on a real socket, asked all that Schemathesis can make of its published document. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { createRunner, type RunResult } from '../../system/run.ts';
import { SCOPES } from '../../contract/scopes.ts';
import { loadPlans } from '../../order/plans.ts';
import type { ConsoleHub } from '../../gateway/console/hub.ts';
import { BODY_LIMITS, type Gateway } from '../../gateway/gateway.ts';
import { serve, type HttpServer } from '../../system/http/server.ts';
import { makeToken } from '../../gateway/v1/tokens.ts';
import { DECLARATIONS, v1Routes } from '../../gateway/v1/routes.ts';
import { commandOf } from '../python-tool.ts';
import { SCHEMATHESIS } from '../schemathesis/tool.ts';
import { bench } from '../unit/gateway/bench.ts';
import { quietHub } from '../unit/gateway/console/quiet-hub.ts';
import { fakeGuests } from '../unit/gateway/fake-guests.ts';
import { titled } from './machine.ts';

const CONFIG = join(import.meta.dirname, '../schemathesis/schemathesis.toml');
const LIMIT_MS = 600_000;

const command = commandOf(SCHEMATHESIS);
const why = command === undefined ? 'needs Schemathesis, which npm test installs from PyPI with python3-venv' : undefined;
const runner = createRunner();
const { token, record } = makeToken('all', Object.keys(SCOPES), new Date(), { perMinute: 100_000 });

let directory: string;
let gateway: Gateway;
let consoles: ConsoleHub;
let server: HttpServer | undefined;

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'guestflow-schemathesis-'));
  const guests = fakeGuests();
  consoles = quietHub(guests);
  const routes = v1Routes({ guests, consoles, plans: await loadPlans(), tokens: () => [record], body: BODY_LIMITS });
  ({ gateway } = await bench({ routes }));
});
afterEach(async () => {
  await server?.close();
});
afterAll(() => {
  consoles.close();
  rmSync(directory, { recursive: true, force: true });
});

async function ask(gatewayAsked: Gateway, ...options: string[]): Promise<RunResult> {
  server = await serve(gatewayAsked, { port: 0 });
  const args = ['--config-file', CONFIG, 'run', `${server.url}/v1/openapi.json`, '--url', server.url, '--no-color', '--seed', '1'];
  // It keeps what it learnt where it runs.
  return runner.run(command ?? '', [...args, '--header', `Authorization: Bearer ${token}`, ...options], {
    cwd: directory,
    timeoutMs: LIMIT_MS,
    okCodes: [0, 1],
    env: { NO_COLOR: '1' },
  });
}

async function order(name: string): Promise<void> {
  const response = await gateway(
    new Request('http://gateway/v1/guests', {
      method: 'POST',
      headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
      body: JSON.stringify({ order: `ORDER-${name}`, name, plan: 'small' }),
    }),
  );
  expect(response.status).toBe(202);
}

describe.skipIf(why !== undefined)(titled('what is published of /v1', why), () => {
  it(
    'says what each operation answers to good and bad requests: Schemathesis finds nothing',
    async () => {
      await order('guest1');
      const { code, stdout } = await ask(gateway, '--phases', 'examples,coverage,fuzzing,stateful', '--max-examples', '10');
      expect(stdout.slice(stdout.indexOf('= FAILURES ='))).not.toContain('Test Case ID');
      const all = DECLARATIONS.length;
      expect(stdout).toMatch(new RegExp(`Selected: ${all}/${all}\\s+Tested: ${all}`));
      const [, made, passed] = /(\d+) generated, (\d+) passed/.exec(stdout) ?? [];
      expect(Number(made)).toBeGreaterThan(500);
      expect(passed).toBe(made);
      expect(code, stdout).toBe(0);
    },
    LIMIT_MS,
  );

  it(
    'is held against the answers: one that lacks what is promised is found',
    async () => {
      const wrong: Gateway = async (request, ...rest) => {
        const response = await gateway(request, ...rest);
        return request.url.endsWith('openapi.json') ? response : Response.json({}, { status: response.status });
      };
      const { code, stdout } = await ask(wrong, '--phases', 'examples', '--include-path', '/v1/guests');
      expect(stdout).toContain('Response violates schema');
      expect(code).toBe(1);
    },
    LIMIT_MS,
  );
});
