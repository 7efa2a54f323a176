/** A server that is told to stop: it answers what it has taken, and waits for nobody else. */
import { once } from 'node:events';
import type { Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { serve } from '../../../../system/http/server.ts';
import { streamed } from '../../../../system/http/streamed.ts';
import { talk } from './talk.ts';

/** A connection that has said this, and what it is answered until it is closed. */
async function connection(port: number, text: string): Promise<{ readonly socket: Socket; readonly answer: Promise<string> }> {
  let answer: Promise<string>;
  return new Promise((resolve) => {
    answer = talk(port, (socket) => socket.write(text, () => resolve({ socket, answer })));
  });
}

const GET = 'GET / HTTP/1.1\r\nHost: x\r\n';

describe('a server that stops', () => {
  it('does not wait for those that have asked nothing yet', async () => {
    const server = await serve(() => Promise.resolve(new Response('hello')), { port: 0 });
    const silent = await connection(server.port, '');
    const slow = await connection(server.port, GET);
    // Its connection is kept.
    expect(await (await fetch(server.url)).text()).toBe('hello');
    await server.close();
    expect([await silent.answer, await slow.answer]).toEqual(['', '']);
  });

  it('answers what it has taken, whole, and says that it is the last answer', async () => {
    let answer: (response: Response) => void = () => undefined;
    let isTaken: () => void;
    const taken = new Promise<void>((resolve) => (isTaken = resolve));
    const server = await serve(
      () => {
        isTaken();
        return new Promise<Response>((resolve) => (answer = resolve));
      },
      { port: 0 },
    );
    const asked = await connection(server.port, `${GET}\r\n`);
    await taken;
    let isClosed = false;
    const closing = server.close().then(() => (isClosed = true));
    expect(isClosed).toBe(false);
    answer(new Response('x'.repeat(2_000_000)));
    expect(await asked.answer).toMatch(/^HTTP\/1.1 200 [^]*connection: close[^]*x{1000}$/i);
    await closing;
    expect(await talk(server.port, (socket) => socket.write(`${GET}\r\n`))).toBe('');
  });

  it('has an answer read to its end that it had begun to give', async () => {
    const server = await serve(() => Promise.resolve(new Response('x'.repeat(20_000_000))), { port: 0 });
    const asked = await connection(server.port, `${GET}\r\n`);
    await once(asked.socket, 'data');
    asked.socket.pause();
    const closing = server.close();
    await delay(200);
    asked.socket.resume();
    const [head = '', body = ''] = (await asked.answer).split('\r\n\r\n');
    expect(head).toMatch(/connection: keep-alive/i);
    expect(body).toHaveLength(20_000_000);
    await closing;
  });

  it('does not wait for one that hung up before its answer', async () => {
    let answer: (response: Response) => void = () => undefined;
    const server = await serve(() => new Promise<Response>((resolve) => (answer = resolve)), { port: 0 });
    const stop = new AbortController();
    const asked = fetch(server.url, { signal: stop.signal });
    await delay(200);
    stop.abort();
    await expect(asked).rejects.toThrow();
    await delay(200);
    answer(new Response('hello'));
    await server.close();
  });
});

describe('an answer that is passed on as it comes', () => {
  /** A body of so many pieces; what ends it otherwise is told. */
  const body = (pieces: number, fails = false): { readonly stream: ReadableStream<Uint8Array>; readonly cancelled: Promise<void> } => {
    let left = pieces;
    let tell: () => void;
    const cancelled = new Promise<void>((resolve) => (tell = resolve));
    const stream = new ReadableStream<Uint8Array>({
      pull: (controller) => {
        if ((left -= 1) >= 0) controller.enqueue(new Uint8Array(65_536).fill(120));
        else if (fails) controller.error(new Error('it cannot be read'));
        else controller.close();
      },
      cancel: () => tell(),
    });
    return { stream, cancelled };
  };

  it('comes whole, and its connection is kept; one that fails is broken off', async () => {
    const bodies = [body(40).stream, body(40, true).stream];
    const server = await serve(() => Promise.resolve(streamed(new Response(bodies.shift()))), { port: 0 });
    const whole = await fetch(server.url);
    expect((await whole.arrayBuffer()).byteLength).toBe(40 * 65_536);
    expect(whole.headers.get('connection')).toBe('keep-alive');
    await expect(fetch(server.url).then((broken) => broken.arrayBuffer())).rejects.toThrow();
    await server.close();
  });

  it('ends at its source when who reads it has gone', async () => {
    const { stream, cancelled } = body(Infinity);
    const server = await serve(() => Promise.resolve(streamed(new Response(stream))), { port: 0 });
    const stop = new AbortController();
    const answer = await fetch(server.url, { signal: stop.signal });
    await answer.body?.getReader().read();
    stop.abort();
    await cancelled;
    await server.close();
  });

  it('is the last of its connection like any other: where the rest of a body is left, and of a server that stops', async () => {
    let begin: () => void = () => undefined;
    const begun = new Promise<void>((resolve) => (begin = resolve));
    let goOn: () => void = () => undefined;
    const going = new Promise<void>((resolve) => (goOn = resolve));
    let isFirst = true;
    const server = await serve(
      async () => {
        if (!isFirst) {
          begin();
          await going;
        }
        isFirst = false;
        return streamed(new Response(body(1).stream, { headers: { 'content-length': '65536' } }));
      },
      { port: 0 },
    );
    const last = /^HTTP\/1.1 200 [^]*connection: close[^]*x{1000}$/i;
    expect(await talk(server.port, (socket) => socket.write(`POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nx`))).toMatch(last);
    const asked = await connection(server.port, `${GET}\r\n`);
    await begun;
    const closing = server.close();
    goOn();
    expect(await asked.answer).toMatch(last);
    await closing;
  });
});
