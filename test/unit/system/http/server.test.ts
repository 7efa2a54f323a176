/** A server that is told to stop: it answers what it has taken, and waits for nobody else. */
import { once } from 'node:events';
import type { Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { serve } from '../../../../system/http/server.ts';
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
