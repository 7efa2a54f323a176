/** A server that is told to stop: it answers what it has taken, and waits for nobody else. */
import { connect, type Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { serve } from '../../../../system/http/server.ts';

/** A connection that has said this, and what it has been answered when it ends. */
async function connection(port: number, text: string): Promise<{ readonly answer: Promise<string> }> {
  const socket = await new Promise<Socket>((resolve, reject) => {
    const made: Socket = connect(port, '127.0.0.1', () => resolve(made));
    made.once('error', reject);
  });
  const answer = new Promise<string>((resolve) => {
    let heard = '';
    socket.on('data', (bytes) => (heard += bytes.toString('latin1')));
    socket.on('error', () => undefined);
    socket.on('close', () => resolve(heard));
  });
  await new Promise((resolve) => socket.write(text, resolve));
  return { answer };
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

  it('answers what it has taken, whole, before it is closed', async () => {
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
    expect(await asked.answer).toMatch(/x{1000}$/);
    await closing;
    await expect(connection(server.port, '')).rejects.toThrow();
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
