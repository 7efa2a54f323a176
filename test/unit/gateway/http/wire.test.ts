/** What comes over a raw connection: requests that a proxy and we might cut apart differently, and senders that take their time. */
import { connect, type Socket } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { serve, type HttpServer, type ServeOptions } from '../../../../system/http/server.ts';
import { talk } from '../../system/http/talk.ts';
import { bench, paid, signup, type Bench } from '../bench.ts';

let server: HttpServer | undefined;
afterEach(async () => {
  await server?.close();
});

async function start(changes: Parameters<typeof bench>[0] = {}, limits: ServeOptions['limits'] = {}): Promise<Bench & { port: number }> {
  const made = await bench(changes);
  server = await serve(made.gateway, { port: 0, limits });
  return { ...made, port: server.port };
}

const statuses = (text: string): number[] => [...text.matchAll(/HTTP\/1\.1 (\d{3}) /g)].map(([, status]) => Number(status));

/** A signed event as it goes over the wire. */
async function rawEvent(order: string, more: readonly string[] = []): Promise<string> {
  const request = signup(paid(order), { id: `msg_${order}` });
  const body = await request.text();
  const headers = [...request.headers].map(([name, value]) => `${name}: ${value}`);
  return ['POST /webhooks/signup HTTP/1.1', 'Host: x', ...headers, ...more, `Content-Length: ${Buffer.byteLength(body)}`, '', body].join(
    '\r\n',
  );
}

const POST = 'POST /webhooks/signup HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n';
const HIDDEN = 'GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n';

describe('a request within a request', () => {
  it.each([
    ['a length and chunks', `${POST}Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n${HIDDEN}`],
    ['chunks and a length', `${POST}Transfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n0\r\n\r\n${HIDDEN}`],
    ['two lengths', `${POST}Content-Length: 0\r\nContent-Length: 38\r\n\r\n${HIDDEN}`],
    ['a list of lengths', `${POST}Content-Length: 0, 38\r\n\r\n${HIDDEN}`],
    ['a length with a sign', `${POST}Content-Length: +0\r\n\r\n${HIDDEN}`],
    ['a hexadecimal length', `${POST}Content-Length: 0x0\r\n\r\n${HIDDEN}`],
    ['a negative length', `${POST}Content-Length: -1\r\n\r\n${HIDDEN}`],
    ['chunks by another name', `${POST}Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n${HIDDEN}`],
    ['chunks that are not the last coding', `${POST}Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n${HIDDEN}`],
    ['chunks behind a vertical tab', `${POST}Transfer-Encoding:\x0bchunked\r\n\r\n0\r\n\r\n${HIDDEN}`],
    ['a blank before the colon', `${POST}Content-Length : 38\r\n\r\n${HIDDEN}`],
    ['a folded header', `${POST}Content-Length:\r\n 38\r\n\r\n${HIDDEN}`],
    ['lines that end in CR alone', `${POST}X: 1\rContent-Length: 38\r\n\r\n${HIDDEN}`],
    ['a null byte in a header', `${POST}X: a\0b\r\nContent-Length: 0\r\n\r\n${HIDDEN}`],
    ['a size of a chunk that is none', `${POST}Transfer-Encoding: chunked\r\n\r\n0x0\r\n\r\n${HIDDEN}`],
    ['a size of a chunk that wraps around', `${POST}Transfer-Encoding: chunked\r\n\r\n10000000000000000\r\n\r\n${HIDDEN}`],
    ['a chunk that is longer than it says', `${POST}Transfer-Encoding: chunked\r\n\r\n1\r\nabc\r\n0\r\n\r\n${HIDDEN}`],
  ])('(%s) is not found by us: 400, or 401 and the end of the connection', async (_what, text) => {
    const { port, sink } = await start();
    const answer = await talk(port, (socket) => socket.end(text));
    expect(statuses(answer).filter((status) => status === 200)).toEqual([]);
    expect(sink.events).toEqual([]);
  });

  it('is one of its own when it stands behind the end of another (pipelining), and is answered in its turn', async () => {
    const { port, sink } = await start();
    const [first, second] = [await rawEvent('A-1'), await rawEvent('A-2')];
    const answer = await talk(port, (socket) => socket.end(`${first}${HIDDEN}${second}`));
    expect(statuses(answer)).toEqual([200, 200, 200]);
    expect(sink.events.map(({ order }) => order)).toEqual(['A-1', 'A-2']);
    expect(answer.indexOf('A-1')).toBeLessThan(answer.indexOf('A-2'));
  });

  it('is nothing when it is the body of one that is refused before it is read', async () => {
    const { port, sink } = await start();
    const answer = await talk(port, (socket) => socket.end(`POST /nowhere HTTP/1.1\r\nHost: x\r\nContent-Length: 38\r\n\r\n${HIDDEN}`));
    expect(statuses(answer)).toEqual([404]);
    expect(sink.events).toEqual([]);
  });
});

describe('a sender', () => {
  it('that sends in chunks, and names no length, is taken', async () => {
    const { port, sink } = await start();
    const text = await rawEvent('A-1');
    const [head = '', body = ''] = text.split('\r\n\r\n');
    const chunks = [body.slice(0, 7), body.slice(7)].map((chunk) => `${chunk.length.toString(16)}\r\n${chunk}\r\n`).join('');
    const sent = `${head.replace(/Content-Length: \d+/, 'Transfer-Encoding: chunked\r\nConnection: close')}\r\n\r\n${chunks}0\r\n\r\n`;
    expect(statuses(await talk(port, (socket) => socket.write(sent)))).toEqual([200]);
    expect(sink.events).toHaveLength(1);
  });

  it('that asks first is told to go on only when its body is wanted', async () => {
    const { port } = await start();
    const wanted = await rawEvent('A-1', ['Expect: 100-continue', 'Connection: close']);
    expect(statuses(await talk(port, (socket) => socket.write(wanted)))).toEqual([100, 200]);
    const tooLarge = `${POST}Content-Length: 999999999\r\nExpect: 100-continue\r\n\r\n`;
    expect(statuses(await talk(port, (socket) => socket.write(tooLarge)))).toEqual([413]);
  });

  it('that never ends its headers is ended with 408', async () => {
    const { port } = await start({}, { headersTimeout: 100, requestTimeout: 200, connectionsCheckingInterval: 20 });
    const answer = await talk(port, (socket) => {
      socket.write('POST /webhooks/signup HTTP/1.1\r\nHost: x\r\n');
      const timer = setInterval(() => socket.write('X: y\r\n'), 30);
      socket.on('close', () => clearInterval(timer));
    });
    expect(statuses(answer)).toEqual([408]);
  });

  it('that says nothing at all is ended, too', async () => {
    const { port } = await start({}, { headersTimeout: 100, requestTimeout: 200, connectionsCheckingInterval: 20 });
    expect(statuses(await talk(port, () => undefined))).toEqual([408]);
  });

  it('that is slow does not keep others waiting', async () => {
    const { port, sink } = await start();
    const slow = Array.from({ length: 100 }, () =>
      connect(port, '127.0.0.1', function write(this: Socket) {
        this.write(`${POST}Content-Length: 50\r\n\r\n{`);
      }).on('error', () => undefined),
    );
    expect(statuses(await talk(port, (socket) => void rawEvent('A-1', ['Connection: close']).then((text) => socket.write(text))))).toEqual([
      200,
    ]);
    expect(sink.events).toHaveLength(1);
    for (const socket of slow) socket.destroy();
  });

  it.each([
    ['TRACE', 'TRACE /webhooks/signup HTTP/1.1\r\nHost: x\r\n\r\n', [405]],
    ['OPTIONS', 'OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n', [404]],
    ['CONNECT', 'CONNECT internal:22 HTTP/1.1\r\nHost: x\r\n\r\n', []],
    ['an upgrade', 'GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n', [200]],
    ['HTTP/2 by itself', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', [400]],
    ['HTTP/1.1 without a host', 'GET /healthz HTTP/1.1\r\n\r\n', [400]],
    ['a path of 20,000 characters', `GET /${'a'.repeat(20_000)} HTTP/1.1\r\nHost: x\r\n\r\n`, [414]],
    ['a path with a line break', 'GET /healthz\r\nX: HTTP/1.1\r\nHost: x\r\n\r\n', [400]],
    ['a path out of the tree', 'GET /v1/guests/../../healthz/..%2f..%2fetc HTTP/1.1\r\nHost: x\r\n\r\n', [400]],
    ['a path of another host', 'GET //elsewhere/healthz HTTP/1.1\r\nHost: x\r\n\r\n', [404]],
  ])('that tries %s gets %s', async (_what, text, expected) => {
    const { port } = await start();
    expect(statuses(await talk(port, (socket) => socket.end(text)))).toEqual(expected);
  });

  it('whose headers break the line gets nothing of it back', async () => {
    const { port } = await start();
    const answer = await talk(port, (socket) => socket.end('GET /%0d%0aX-Evil:%201 HTTP/1.1\r\nHost: x\r\nX: a%0d%0ab\r\n\r\n'));
    expect(statuses(answer)).toEqual([404]);
    expect(answer).not.toMatch(/evil/i);
  });
});

describe('a server with all its connections taken', () => {
  it('closes what comes on top, and serves again when there is room', async () => {
    const made = await bench();
    server = await serve(made.gateway, { port: 0, connections: 2 });
    const { port } = server;
    const held = await Promise.all(
      Array.from(
        { length: 2 },
        () =>
          new Promise<Socket>((resolve) => {
            const socket: Socket = connect(port, '127.0.0.1', () => resolve(socket));
          }),
      ),
    );
    expect(await talk(port, (socket) => socket.write(HIDDEN))).toBe('');
    await Promise.all(held.map((socket) => new Promise((resolve) => socket.once('close', resolve).destroy())));
    let answer = '';
    while (statuses(answer).length === 0) answer = await talk(port, (socket) => socket.end(HIDDEN));
    expect(statuses(answer)).toEqual([200]);
  });
});
