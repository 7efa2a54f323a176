/** The dom0's side of a console: the step, the bridge and its bounds, against the fake dom0 and a gateway that is none. */
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import { WebSocketServer, type WebSocket } from 'ws';
import { Consoles, type ConsoleLimits } from '../../../../../activities/dom0/consoles/consoles.ts';
import type { StepEnv } from '../../../../../activities/dom0/env.ts';
import { ensurePasswordKey, passwordPublicKey } from '../../../../../activities/dom0/password-key.ts';
import { bootGuest, destroyGuest } from '../../../../../activities/dom0/steps/boot.ts';
import { openConsole, pauseWithConsole } from '../../../../../activities/dom0/steps/console.ts';
import { CONSOLE_CLOSE_CODE, consoleContext } from '../../../../../contract/console.ts';
import type { FakeDom0, FakeHost } from '../../../../../fake/index.ts';
import { sealBox } from '../../../../../system/sealed-box.ts';
import { closeKnowing, dom0With, spec, stepEnv } from '../steps/support.ts';

const GUEST = spec();
const REF = { name: GUEST.name, order: GUEST.order, dom0: 'dom0' };
const TOKEN = 'a-token-of-this-test';

/** One console as a gateway sees it. */
interface Seen {
  readonly socket: WebSocket;
  readonly greeting: unknown;
  printed: string;
  readonly closed: Promise<string>;
}

let dom0: FakeDom0;
let env: StepEnv;
let host: FakeHost;
let server: WebSocketServer;
let seen: Seen[];
let answer: (socket: WebSocket) => void;
let lines: object[];

beforeEach(async () => {
  ({ dom0 } = await dom0With(GUEST));
  host = dom0.host();
  env = stepEnv(host);
  await ensurePasswordKey(env);
  await bootGuest(env, GUEST);
  seen = [];
  lines = [];
  answer = (socket) => socket.send('{"open":true}');
  server = new WebSocketServer({ host: '127.0.0.1', port: 0 });
  server.on('connection', (socket) => {
    socket.once('message', (greeting: Buffer) => {
      const closed = once(socket, 'close').then(([, reason]) => String(reason));
      const one: Seen = { socket, greeting: JSON.parse(greeting.toString()), printed: '', closed };
      socket.on('message', (data: Buffer) => (one.printed += data.toString()));
      seen.push(one);
      answer(socket);
    });
  });
  await once(server, 'listening');
});
afterEach(() => {
  for (const client of server.clients) client.terminate();
  server.close();
  closeKnowing(dom0);
});

function consoles(
  limits: Partial<ConsoleLimits> = {},
  gateway: string | undefined = `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
): Consoles {
  const log = { info: (fields: object, message: string) => lines.push({ ...fields, message }), warn: () => undefined };
  const made = new Consoles({ host, gateway, log, limits });
  onTestFinished(() => made.close());
  return made;
}

async function open(all: Consoles, id = randomBytes(8).toString('hex')): Promise<Seen> {
  const token = await sealBox(TOKEN, (await passwordPublicKey(env)) ?? '', consoleContext(id, GUEST.name));
  await openConsole(env, all, { ref: REF, console: { id, token } });
  return seen.at(-1)!;
}

describe('a console', () => {
  it('is brought to the gateway of the settings by its token, and moves bytes both ways', async () => {
    const console = await open(consoles(), 'c1');
    expect(console.greeting).toEqual({ console: 'c1', token: TOKEN });
    console.socket.send(Buffer.from('echo it works\r'));
    await expect.poll(() => console.printed).toContain('\r\nit works\r\n');
    expect(console.printed).toContain('guest1 hvc0');
  });

  it('is refused by a dom0 whose settings name no gateway, which says the setting', async () => {
    const none = new Consoles({ host, log: { info: () => undefined, warn: () => undefined } });
    await expect(open(none)).rejects.toMatchObject({ type: 'HostNotReady', details: { field: 'consoleGateway' } });
    expect(dom0.calls.filter(({ tool }) => tool.endsWith('xenconsole'))).toEqual([]);
  });

  it('is refused for a guest that does not run, and for a token that was sealed for something else', async () => {
    const all = consoles();
    const token = await sealBox(TOKEN, (await passwordPublicKey(env)) ?? '', consoleContext('c2', 'another'));
    await expect(openConsole(env, all, { ref: REF, console: { id: 'c2', token } })).rejects.toMatchObject({ type: 'HostNotReady' });
    await expect(openConsole(env, all, { ref: { ...REF, order: 'other' }, console: { id: 'c2', token } })).rejects.toMatchObject({
      type: 'NotOurs',
    });
    await destroyGuest(env, REF);
    await expect(open(all)).rejects.toMatchObject({ type: 'Busy', details: { field: 'phase' } });
    expect(seen).toEqual([]);
  });

  it('that the gateway does not take is ended on the dom0', async () => {
    answer = (socket) => socket.close(CONSOLE_CLOSE_CODE, 'ticket');
    const all = consoles();
    await expect(open(all)).rejects.toMatchObject({ type: 'Unreachable', message: expect.stringContaining('ticket') as string });
    answer = (socket) => socket.send('{"open":true}');
    await open(all);
  });

  it('that no gateway answers is ended on the dom0', async () => {
    await expect(open(consoles({}, 'http://127.0.0.1:9'))).rejects.toMatchObject({ type: 'Unreachable' });
    await open(consoles());
  });

  it('in use by somebody on the dom0 is refused', async () => {
    const id = dom0.state.domains[0]!.id;
    const { tool, args } = await env.toolstack.consoleCommand(id);
    const byHand = host.attach(tool, args, { timeoutMs: 60_000, readyFd: 3 });
    await expect(open(consoles())).rejects.toMatchObject({ type: 'Busy', message: expect.stringContaining('Could not lock') as string });
    byHand.end();
    await open(consoles());
  });

  it('ends the one that the guest had before', async () => {
    const all = consoles();
    const first = await open(all);
    const second = await open(all);
    expect(await first.closed).toBe('replaced');
    second.socket.send(Buffer.from('echo second\r'));
    await expect.poll(() => second.printed).toContain('\r\nsecond\r\n');
  });

  it('is the last one’s of several who ask at a time', async () => {
    const all = consoles();
    await Promise.all([open(all, 'a'), open(all, 'b'), open(all, 'c')]);
    const ends = seen.map(({ closed }) => closed);
    await expect.poll(() => lines.filter((line) => JSON.stringify(line).includes('replaced'))).toHaveLength(2);
    expect(seen).toHaveLength(3);
    expect(await Promise.race([...ends.slice(0, 2), ends[2]])).toBe('replaced');
    seen[2]!.socket.send(Buffer.from('echo last\r'));
    await expect.poll(() => seen[2]!.printed).toContain('\r\nlast\r\n');
  });

  it('is one of so many', async () => {
    await expect(open(consoles({ most: 0 }))).rejects.toMatchObject({ type: 'Busy' });
  });

  it('ends with its domain, with the escape character, and with the browser', async () => {
    const all = consoles();
    const escaped = await open(all);
    escaped.socket.send(Buffer.from('\x1d'));
    expect(await escaped.closed).toBe('ended');
    const left = await open(all, 'left');
    left.socket.close(CONSOLE_CLOSE_CODE, 'closed');
    await expect.poll(() => lines.at(-1)).toMatchObject({ message: 'console ended', console: 'left', end: 'closed' });
    const last = await open(all);
    await destroyGuest(env, REF);
    expect(await last.closed).toBe('ended');
  });

  it('ends when its guest is paused', async () => {
    const all = consoles();
    const console = await open(all);
    await pauseWithConsole(env, all, REF);
    expect(await console.closed).toBe('off');
    await pauseWithConsole(env, all, REF);
  });

  it('ends when nothing is typed, whatever is printed, and when it was open for long enough', async () => {
    const idle = await open(consoles({ idleMs: 100 }));
    expect(await idle.closed).toBe('idle');
    const all = consoles({ sessionMs: 300, idleMs: 200 });
    const limited = await open(all);
    const typing = setInterval(() => limited.socket.send(Buffer.from('x')), 50);
    onTestFinished(() => clearInterval(typing));
    expect(await limited.closed).toBe('limit');
  });

  it('ends when the gateway is silent, and lives on while it asks', async () => {
    const all = consoles({ silenceMs: 200 });
    const console = await open(all);
    for (let ask = 0; ask < 5; ask += 1) {
      console.socket.ping();
      await sleep(100);
    }
    expect(lines.at(-1)).toMatchObject({ message: 'console opened' });
    await expect.poll(() => lines.at(-1)).toMatchObject({ message: 'console ended', end: 'unavailable' });
  });

  it('ends when it is sent what is not of its protocol: text, or too long a message', async () => {
    const all = consoles();
    const text = await open(all);
    text.socket.send('{"resize":1}');
    expect(await text.closed).toBe('protocol');
    const long = await open(all);
    long.socket.send(Buffer.alloc(20_000));
    await expect.poll(() => lines.at(-1)).toMatchObject({ message: 'console ended' });
  });

  it('ends with the worker', async () => {
    const all = consoles();
    const console = await open(all);
    await all.close();
    expect(await console.closed).toBe('stopped');
    await expect(open(all)).rejects.toMatchObject({ type: 'Busy' });
  });

  it('is told in the log: which guest, for how long, how many bytes, and nothing of what they were', async () => {
    const console = await open(consoles(), 'logged');
    console.socket.send(Buffer.from('echo hush\r'));
    await expect.poll(() => console.printed).toContain('\r\nhush\r\n');
    console.socket.close(CONSOLE_CLOSE_CODE, 'closed');
    await expect
      .poll(() => lines.at(-1))
      .toEqual({
        message: 'console ended',
        console: 'logged',
        guest: 'guest1',
        end: 'closed',
        seconds: 0,
        typed: 10,
        printed: console.printed.length,
      });
    expect(JSON.stringify(lines)).not.toContain('hush');
  });

  it('whose browser does not read has its own tool wait, and takes little memory', async () => {
    const all = consoles({ bytesPerSecond: 2 ** 40 });
    const flooded = await open(all);
    flooded.socket.send(Buffer.from('flood\r'));
    await expect.poll(() => flooded.printed.length).toBeGreaterThan(1_000);
    flooded.socket.pause();
    const moved = (): number => flooded.printed.length;
    let before = -1;
    await expect.poll(() => [before, (before = moved())], { interval: 200 }).toSatisfy(([was, is]: number[]) => was === is);
    const [client] = [...server.clients];
    expect(client).toBe(flooded.socket);
    expect(moved()).toBeLessThan(24 * 2 ** 20);
    flooded.socket.resume();
    await expect.poll(moved, { timeout: 20_000 }).toBeGreaterThan(32 * 2 ** 20);
  }, 40_000);

  it('prints no more a second than it may', async () => {
    const all = consoles({ bytesPerSecond: 100_000 });
    const console = await open(all);
    const began = Date.now();
    console.socket.send(Buffer.from('flood\r'));
    await expect.poll(() => console.printed.length, { timeout: 10_000 }).toBeGreaterThan(150_000);
    expect(Date.now() - began).toBeGreaterThan(500);
  });
});
