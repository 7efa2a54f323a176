/** What the HTTP server bears: slow, endless, broken senders, on real sockets. */
import { gzipSync } from 'node:zlib';
import { afterEach, describe, expect, it } from 'vitest';
import { serve, type HttpServer } from '../../../../system/http/server.ts';
import { talk } from '../../system/http/talk.ts';
import { bench, paid, signup, type Bench } from '../bench.ts';

let server: HttpServer | undefined;
afterEach(async () => {
  await server?.close();
});

async function start(changes: Parameters<typeof bench>[0] = {}): Promise<Bench & { url: string; port: number }> {
  const made = await bench(changes);
  server = await serve(made.gateway, { port: 0 });
  return { ...made, url: server.url, port: server.port };
}

async function post(url: string, request: Request, changes: RequestInit = {}): Promise<Response> {
  return fetch(`${url}/webhooks/signup`, { method: 'POST', headers: request.headers, body: await request.text(), ...changes });
}

describe('the server', () => {
  it('listens on this machine only, unless told otherwise', async () => {
    const { url } = await start();
    expect(url).toMatch(/^http:\/\/127\.0\.0\.1:\d+$/);
  });

  it('passes a signed event on, byte for byte', async () => {
    const { url, sink } = await start();
    const body = JSON.stringify(paid('A-1', { note: 'ünï ¢ 🐟' }), null, 2);
    expect((await post(url, signup(body))).status).toBe(200);
    expect(sink.events).toHaveLength(1);
  });

  it('answers many at once', async () => {
    const { url, sink } = await start();
    const answers = await Promise.all(
      Array.from({ length: 100 }, (_, index) => post(url, signup(paid(`A-${index}`), { id: `msg_${index}` }))),
    );
    expect(answers.every(({ status }) => status === 200)).toBe(true);
    expect(sink.events).toHaveLength(100);
  });

  it('ends a sender of megabytes with 413, which it can read', async () => {
    const { url, sink } = await start();
    expect((await post(url, signup(paid()), { body: Buffer.alloc(20 * 2 ** 20, 32) })).status).toBe(413);
    expect(sink.events).toEqual([]);
  });

  it('ends an endless body in chunks with 413', async () => {
    const { port } = await start({ body: { bytes: 10_000, ms: 5_000 } });
    const answer = await talk(port, (socket) => {
      socket.write('POST /webhooks/signup HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n');
      const timer = setInterval(() => socket.write(`400\r\n${' '.repeat(1_024)}\r\n`), 1);
      socket.on('close', () => clearInterval(timer));
    });
    expect(answer).toMatch(/^HTTP\/1\.1 413 /);
  });

  it('ends a sender that drips with 408', async () => {
    const { port } = await start({ body: { bytes: 10_000, ms: 200 } });
    const answer = await talk(port, (socket) => {
      socket.write('POST /webhooks/signup HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 5000\r\n\r\n');
      const timer = setInterval(() => socket.write(' '), 20);
      socket.on('close', () => clearInterval(timer));
    });
    expect(answer).toMatch(/^HTTP\/1\.1 408 /);
  });

  it('does not unpack what is packed', async () => {
    const { url } = await start();
    const bomb = gzipSync(Buffer.alloc(10 * 2 ** 20, 32));
    expect(
      (await post(url, signup(paid()), { body: bomb, headers: { 'content-type': 'application/json', 'content-encoding': 'gzip' } })).status,
    ).toBe(415);
  });

  it('survives a sender that hangs up in the middle', async () => {
    const { url, port, sink } = await start();
    await Promise.all(
      Array.from({ length: 20 }, () =>
        talk(port, (socket) => {
          socket.write('POST /webhooks/signup HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 5000\r\n\r\n{', () =>
            socket.destroy(),
          );
        }),
      ),
    );
    expect((await post(url, signup(paid()))).status).toBe(200);
    expect(sink.events).toHaveLength(1);
  });

  it.each([
    ['that is no HTTP', 'hello\r\n\r\n', /^HTTP\/1\.1 400 /],
    ['with headers without end', `GET / HTTP/1.1\r\n${'some-header: some-value\r\n'.repeat(5_000)}\r\n`, /^HTTP\/1\.1 431 /],
    [
      'with two lengths',
      'POST /webhooks/signup HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n',
      /^HTTP\/1\.1 400 /,
    ],
    ['for another place', 'GET http://elsewhere/v1/guests HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n', /^HTTP\/1\.1 404 /],
    ['with a path that is badly encoded', 'GET /v1/%E0%A4%A HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n', /^HTTP\/1\.1 40[04] /],
    ['by another method', 'DELETE /webhooks/signup HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n', /^HTTP\/1\.1 405 /],
  ])('answers a request %s', async (_what, text, expected) => {
    const { port } = await start();
    expect(await talk(port, (socket) => socket.end(text))).toMatch(expected);
  });

  it('says that a port is taken', async () => {
    const { gateway, port } = await start();
    await expect(serve(gateway, { port })).rejects.toMatchObject({ type: 'InvalidInput', details: { field: 'listen' } });
  });
});
