import { afterEach, describe, expect, it } from 'vitest';
import { createRunner, ToolError } from '../../../system/run.ts';
import type { HttpServer } from '../../../system/http/server.ts';
import { talk } from '../system/http/talk.ts';
import { metricsPort, serveHealth } from '../../../system/http/health.ts';
import { createRegistry } from '../../../system/http/process-metrics.ts';
import { observeTools } from '../../../worker/tool-metrics.ts';

const READY = (): Promise<undefined> => Promise.resolve(undefined);

let server: HttpServer | undefined;
afterEach(async () => {
  await server?.close();
  server = undefined;
});

async function get(path: string, method = 'GET'): Promise<{ status: number; text: string }> {
  const response = await fetch(`http://127.0.0.1:${server?.port ?? 0}${path}`, { method });
  return { status: response.status, text: await response.text() };
}

describe('health over HTTP', () => {
  it('lives from the start, and is ready only once it is connected', async () => {
    let ready = false;
    server = await serveHealth(0, createRegistry(), () => Promise.resolve(ready ? undefined : 'a reason'));
    expect((await get('/healthz')).status).toBe(200);
    expect(await get('/readyz')).toEqual({ status: 503, text: 'not ready: a reason\n' });
    ready = true;
    expect((await get('/readyz')).status).toBe(200);
    expect((await get('/elsewhere')).status).toBe(404);
    expect((await get('/healthz', 'POST')).status).toBe(405);
  });

  it('refuses what two readers may read differently, as the gateway does', async () => {
    server = await serveHealth(0, createRegistry(), READY);
    for (const path of ['/healthz?x=1', '/x/../healthz#', '/%zz']) {
      const answer = await talk(server.port, (socket) => socket.end(`GET ${path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`));
      expect(answer).toMatch(/^HTTP\/1\.1 400 [^]*application\/problem\+json/);
    }
    expect(await talk(server.port, (socket) => socket.end('GET /healthz HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n'))).toMatch(
      /^HTTP\/1\.1 400 /,
    );
  });

  it('counts each run of a tool with its outcome', async () => {
    const registry = createRegistry();
    server = await serveHealth(0, registry, READY);
    const runner = createRunner(observeTools(registry));
    await runner.run('true', []);
    await expect(runner.run('false', [])).rejects.toThrow(ToolError);
    const { text } = await get('/metrics');
    expect(text).toMatch(/guestflow_tool_runs_total\{tool="true",outcome="ok"\} 1/);
    expect(text).toMatch(/guestflow_tool_runs_total\{tool="false",outcome="failed"\} 1/);
    expect(text).toMatch(/guestflow_tool_run_seconds_count\{tool="true"\} 1/);
  });

  it('says which setting to change when its port is taken', async () => {
    server = await serveHealth(0, createRegistry(), READY);
    await expect(serveHealth(server.port, createRegistry(), READY)).rejects.toMatchObject({
      type: 'InvalidInput',
      details: { field: 'GUESTFLOW_METRICS_PORT' },
    });
  });

  it('is off unless a port is given, and refuses what is no port', () => {
    expect(metricsPort({})).toBeUndefined();
    expect(metricsPort({ GUESTFLOW_METRICS_PORT: '9464' })).toBe(9464);
    for (const text of ['0', '65536', '9464x', '-1', '1e3'])
      expect(() => metricsPort({ GUESTFLOW_METRICS_PORT: text })).toThrow(/is no port/);
  });
});
