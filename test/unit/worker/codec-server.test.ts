import { request } from 'node:http';
import { defaultPayloadConverter, type Payload } from '@temporalio/common';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createPayloadCodec } from '../../../client/codec/codec.ts';
import { codecKey } from '../../../client/codec/keys.ts';
import type { HttpServer } from '../../../system/http/server.ts';
import { serveCodec } from '../../../worker/codec-server.ts';

const ORIGIN = 'http://127.0.0.1:8233';
const codec = createPayloadCodec([codecKey(Buffer.alloc(32, 1))]);
const stranger = createPayloadCodec([codecKey(Buffer.alloc(32, 2))]);

let server: HttpServer;
beforeEach(async () => {
  server = await serveCodec({ codec, origin: ORIGIN, port: 0 });
});
afterEach(() => server.close());

async function wire(value: unknown, by = codec): Promise<string> {
  const payloads = await by.encode([defaultPayloadConverter.toPayload(value)]);
  const text = (bytes: Uint8Array): string => Buffer.from(bytes).toString('base64');
  return JSON.stringify({
    payloads: payloads.map(({ metadata, data }: Payload) => ({
      metadata: Object.fromEntries(Object.entries(metadata!).map(([key, bytes]) => [key, text(bytes)])),
      data: text(data!),
    })),
  });
}

async function ask(body: string, headers: Record<string, string> = {}, path = '/decode', method = 'POST') {
  const init = { method, headers: { 'content-type': 'application/json', origin: ORIGIN, ...headers } };
  return fetch(`${server.url}${path}`, method === 'POST' ? { ...init, body } : init);
}

/** `fetch` does not let a caller choose the Host. */
function statusFor(host: string): Promise<number> {
  return new Promise((resolve, reject) => {
    request(`${server.url}/decode`, { method: 'POST', headers: { host, 'content-type': 'application/json' } }, ({ statusCode }) =>
      resolve(statusCode ?? 0),
    )
      .on('error', reject)
      .end('{"payloads": []}');
  });
}

describe('the codec server', () => {
  it('decrypts for the page of the Temporal UI, which its browser then lets read the answer', async () => {
    const response = await ask(await wire({ ip: '192.0.2.10' }));
    expect(response.status).toBe(200);
    expect(response.headers.get('access-control-allow-origin')).toBe(ORIGIN);
    const { payloads } = (await response.json()) as { payloads: { data: string }[] };
    expect(Buffer.from(payloads[0]!.data, 'base64').toString()).toBe('{"ip":"192.0.2.10"}');
    const preflight = await ask('', {}, '/decode', 'OPTIONS');
    expect([preflight.status, preflight.headers.get('access-control-allow-headers')]).toEqual([204, 'content-type, x-namespace']);
  });

  it('says nothing to another page, to one that made its name point here, and to a form', async () => {
    const body = await wire('secret');
    for (const origin of ['https://evil.example', 'null', 'http://127.0.0.1:9999']) {
      const response = await ask(body, { origin });
      expect([response.status, response.headers.get('access-control-allow-origin')]).toEqual([403, null]);
      expect((await ask('', { origin }, '/decode', 'OPTIONS')).status).toBe(403);
    }
    expect(await statusFor('rebound.evil.example')).toBe(403);
    expect(await statusFor('localhost:1')).toBe(200);
    expect((await ask(body, { 'content-type': 'text/plain' })).status).toBe(415);
  });

  it('only decrypts, and says of what it cannot decrypt which key it is of', async () => {
    expect((await ask(await wire('x'), {}, '/encode')).status).toBe(404);
    const response = await ask(await wire('x', stranger));
    expect([response.status, await response.text()]).toEqual([400, expect.stringMatching(/encrypted with codec key [0-9a-f]{16}/)]);
    for (const bad of ['', '{', '[]', '{"payloads": [{"data": "*"}]}', '{"payloads": 1}']) expect((await ask(bad)).status).toBe(400);
    expect((await ask(`{"payloads": [{"data": "${'A'.repeat(9 * 2 ** 20)}"}]}`).catch(() => ({ status: 413 }))).status).toBe(413);
  });

  it('says in a problem document what is wrong, which the page may read', async () => {
    const response = await ask('{');
    expect([response.headers.get('content-type'), response.headers.get('access-control-allow-origin')]).toEqual([
      'application/problem+json',
      ORIGIN,
    ]);
    expect(await response.json()).toMatchObject({ status: 400, detail: 'the payloads cannot be read' });
    expect((await ask('', {}, '/decode', 'GET')).status).toBe(405);
  });

  it('does not start where something else listens, and says so', async () => {
    const { port } = server;
    await expect(serveCodec({ codec, origin: ORIGIN, port })).rejects.toMatchObject({ type: 'InvalidInput', details: { field: 'port' } });
  });

  it('does not start for what is no page', async () => {
    for (const origin of ['*', '', '127.0.0.1:8233', 'http://127.0.0.1:8233/', 'file:///x'])
      await expect(serveCodec({ codec, origin, port: 0 })).rejects.toMatchObject({ type: 'InvalidInput' });
  });
});
