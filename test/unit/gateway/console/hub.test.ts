/** Consoles in the gateway: who gets one, how it ends, and that nobody waits for anybody else. */
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, describe, expect, it } from 'vitest';
import { GuestflowError } from '../../../../contract/errors.ts';
import type { HubLimits } from '../../../../gateway/console/hub.ts';
import { isTakenBack, tokenHolder } from '../../../../gateway/v1/console.ts';
import { talk } from '../../system/http/talk.ts';
import { openRig, ORIGIN, type Rig } from './rig.ts';

let rig: Rig;
const start = async (limits?: Partial<HubLimits>): Promise<Rig> => (rig = await openRig(limits));
afterEach(() => rig.close());

describe('a console', () => {
  it('is open when its dom0 has brought it, and moves bytes both ways, whatever they are', async () => {
    await start();
    const { browser, dom0 } = await rig.open();
    expect(browser.said).toEqual(['{"open":true}']);
    expect(dom0.said).toEqual(['{"open":true}']);
    const all = Buffer.from(Array.from({ length: 256 }, (_, byte) => byte));
    browser.socket.send(all);
    dom0.socket.send(Buffer.concat([all, all]));
    await expect.poll(() => dom0.bytes).toEqual(all);
    await expect.poll(() => browser.bytes).toEqual(Buffer.concat([all, all]));
  });

  it('is told in the log: who, which guest, when, how many bytes; never what, and no ticket or token', async () => {
    await start();
    let secrets: string[] = [];
    const { asked } = rig;
    rig.asked = (guest, console) => {
      secrets = [guest, console.token];
      return asked(guest, console);
    };
    const { ticket } = rig.hub.ticket(rig.grant());
    const browser = await rig.browser(ticket);
    await expect.poll(() => browser.said).toHaveLength(1);
    browser.socket.send(Buffer.from('hush'));
    await expect.poll(() => rig.dom0s[0]?.bytes.toString()).toBe('hush');
    rig.clock.now += 5_000;
    browser.socket.close(4_000, 'closed');
    expect(await rig.dom0s[0]?.closed).toBe('closed');
    const console: unknown = expect.stringMatching(/^[A-Za-z0-9_-]{22}$/);
    expect(rig.lines).toEqual([
      { message: 'console asked for', console, guest: 'own', by: 'customer C-1' },
      { message: 'console ended', console, guest: 'own', by: 'customer C-1', end: 'closed', seconds: 5, typed: 4, printed: 0 },
    ]);
    for (const secret of [...secrets.slice(1), ticket, 'hush', 's1']) expect(JSON.stringify(rig.lines)).not.toContain(secret);
  });

  it.each([
    [undefined, '403 '],
    ['https://evil.example', '403 '],
    [`${ORIGIN}.evil.example`, '403 '],
    ['null', '403 '],
  ])('is refused to a page of the origin %j', async (origin, status) => {
    await start();
    const lines = ['GET /console/browser HTTP/1.1', 'Host: x', 'Connection: Upgrade', 'Upgrade: websocket', 'Sec-WebSocket-Version: 13'];
    const headers = [...lines, 'Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==', ...(origin === undefined ? [] : [`Origin: ${origin}`])];
    const answer = await talk(rig.server.port, (socket) => socket.write(`${headers.join('\r\n')}\r\n\r\n`));
    expect(answer).toContain(`HTTP/1.1 ${status}`);
    expect(answer).toContain('urn:guestflow:problem:origin');
  });

  it('is brought by no page: a dom0 that says an origin is a browser', async () => {
    await start();
    await expect(rig.dom0({ console: 'x', token: 'x' }, { origin: ORIGIN })).rejects.toThrow('403');
  });

  it.each([
    ['none of ours', () => 'A'.repeat(43)],
    ['one that was used', (ticket: string) => (rig.hub.ticket(rig.grant()), rig.browser(ticket).then(() => ticket))],
    ['one that is too old', (ticket: string) => ((rig.clock.now += 60_000), ticket)],
  ])('is refused for a ticket that is %s', async (_what, change) => {
    await start();
    const ticket = await change(rig.hub.ticket(rig.grant()).ticket);
    expect(await (await rig.browser(ticket)).closed).toBe('ticket');
  });

  it('is refused when its holder’s time is over, or is by then', async () => {
    await start();
    const { ticket } = rig.hub.ticket(rig.grant({ until: rig.clock.now + 10_000 }));
    rig.clock.now += 10_000;
    expect(await (await rig.browser(ticket)).closed).toBe('ticket');
    const { browser } = await rig.open({ until: rig.clock.now + 100 });
    expect(await browser.closed).toBe('limit');
  });

  it('comes from the dom0 that was asked alone: another token, another console, a second use are refused', async () => {
    await start();
    let wanted = { id: '', token: '' };
    rig.asked = (_guest, console) => {
      wanted = console;
      return new Promise(() => undefined);
    };
    const browser = await rig.browser();
    await expect.poll(() => wanted.id).not.toBe('');
    expect(await (await rig.dom0({ console: wanted.id, token: 'A'.repeat(43) })).closed).toBe('ticket');
    expect(await (await rig.dom0({ console: 'another', token: wanted.token })).closed).toBe('ticket');
    const dom0 = await rig.dom0({ console: wanted.id, token: wanted.token });
    await expect.poll(() => browser.said).toHaveLength(1);
    expect(await (await rig.dom0({ console: wanted.id, token: wanted.token })).closed).toBe('ticket');
    dom0.socket.close(4_000, 'ended');
    expect(await browser.closed).toBe('ended');
  });

  it.each([
    ['off', new GuestflowError('Busy', 'x', { field: 'phase' })],
    ['busy', new GuestflowError('Busy', 'x')],
    ['setting', new GuestflowError('HostNotReady', 'x', { field: 'consoleGateway' })],
    ['unavailable', new GuestflowError('Unreachable', 'x')],
    ['unavailable', new Error('x')],
  ])('that cannot be opened says %s', async (end, error) => {
    await start();
    rig.asked = () => Promise.reject(error);
    expect(await (await rig.browser()).closed).toBe(end);
    expect(rig.lines.at(-1)).toMatchObject({ message: 'console ended', end });
  });

  it('that no dom0 brings ends in time', async () => {
    await start({ dom0Ms: 100 });
    rig.asked = () => Promise.resolve();
    expect(await (await rig.browser()).closed).toBe('unavailable');
  });

  it('ends with the session or the token that opened it, and the others go on', async () => {
    await start();
    const first = await rig.open({ holder: 'session s1' });
    const second = await rig.open({ guest: 'second', holder: tokenHolder({ sha256: 'b' }) });
    const third = await rig.open({ guest: 'third', holder: tokenHolder({ sha256: 'c' }) });
    rig.hub.endOf((holder) => holder === 'session s1');
    expect(await first.browser.closed).toBe('signed-out');
    expect(await first.dom0.closed).toBe('signed-out');
    rig.hub.endOf((holder) => isTakenBack(holder, [{ sha256: 'c', scopes: ['guests:console'] }]));
    expect(await second.browser.closed).toBe('signed-out');
    third.browser.socket.send(Buffer.from('x'));
    await expect.poll(() => third.dom0.bytes.toString()).toBe('x');
    rig.hub.endOf((holder) => isTakenBack(holder, [{ sha256: 'c', scopes: ['guests:read'] }]));
    expect(await third.browser.closed).toBe('signed-out');
  });

  it('ends when the gateway stops, which waits for none', async () => {
    await start();
    const { browser, dom0 } = await rig.open();
    const stranger = await rig.dom0({});
    const began = Date.now();
    await rig.close();
    expect(await browser.closed).toBe('stopped');
    expect(await dom0.closed).toBe('stopped');
    await stranger.closed;
    expect(Date.now() - began).toBeLessThan(4_000);
    rig = await openRig();
  });

  it('passes on what the dom0 says of its end, and calls what it does not know unavailable', async () => {
    await start();
    const idle = await rig.open();
    idle.dom0.socket.close(4_000, 'idle');
    expect(await idle.browser.closed).toBe('idle');
    const odd = await rig.open();
    odd.dom0.socket.close(4_000, '<script>');
    expect(await odd.browser.closed).toBe('unavailable');
  });
});

describe('a hostile side', () => {
  it.each([
    ['text', (): string => 'resize'],
    ['a message that is too long', (): Buffer => Buffer.alloc(100_000)],
  ])('that sends %s is dropped, and told to be of another protocol', async (_what, message) => {
    await start();
    const { browser, dom0 } = await rig.open();
    browser.socket.send(message());
    expect(await dom0.closed).toBe('protocol');
    const other = await rig.open();
    other.dom0.socket.send(message());
    expect(['protocol', '']).toContain(await other.dom0.closed);
    expect(await other.browser.closed).toBe('protocol');
  });

  it('that says nothing, or what is no greeting, is dropped in time', async () => {
    await start({ greetingMs: 200 });
    for (const greeting of [{}, { ticket: 'x', more: 1 }, { ticket: 'x'.repeat(5_000) }, 'no object'] as object[])
      expect(await (await rig.dom0(greeting)).closed).toBe('protocol');
  });

  it('cannot take all connections: so many that have said nothing are borne', async () => {
    await start({ strangers: 2, greetingMs: 60_000 });
    const silent = (): Promise<string> =>
      talk(rig.server.port, (socket) =>
        socket.write(
          'GET /console/dom0 HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n',
        ),
      );
    const first = [silent(), silent()];
    await sleep(100);
    expect(await silent()).toContain('HTTP/1.1 503 ');
    rig.hub.close();
    await Promise.all(first);
  });

  it('has no more consoles than there may be', async () => {
    await start({ most: 1 });
    await rig.open();
    const { ticket } = rig.hub.ticket(rig.grant({ guest: 'second' }));
    expect(await (await rig.browser(ticket)).closed).toBe('busy');
  });

  it('has one console of a guest: the one of before ends', async () => {
    await start({ most: 1 });
    const first = await rig.open();
    const second = await rig.open();
    expect(await first.browser.closed).toBe('replaced');
    expect(await first.dom0.closed).toBe('replaced');
    second.browser.socket.send(Buffer.from('x'));
    await expect.poll(() => second.dom0.bytes.toString()).toBe('x');
  });

  it('does not take all steps of a dom0: so many of one customer are opened at a time, and others’ are', async () => {
    await start({ openings: 2 });
    const { asked } = rig;
    rig.asked = () => new Promise(() => undefined);
    for (const guest of ['g1', 'g2']) await rig.browser(rig.hub.ticket(rig.grant({ guest })).ticket);
    await expect.poll(() => rig.lines).toHaveLength(2);
    expect(await (await rig.browser(rig.hub.ticket(rig.grant({ guest: 'g3' })).ticket)).closed).toBe('busy');
    rig.asked = asked;
    await rig.open({ guest: 'g4', of: 'C-2' });
  });

  it('has its own tickets go when it asks for too many, and nobody else’s', async () => {
    await start();
    const { ticket } = rig.hub.ticket(rig.grant({ of: 'C-2' }));
    const first = rig.hub.ticket(rig.grant()).ticket;
    for (let each = 0; each < 100; each += 1) rig.hub.ticket(rig.grant());
    expect(await (await rig.browser(first)).closed).toBe('ticket');
    const browser = await rig.browser(ticket);
    await expect.poll(() => browser.said).toHaveLength(1);
  });

  it('that does not read is dropped, while another’s console goes on, and little of it is kept', async () => {
    await start({ askMs: 100, silenceMs: 600 });
    const slow = await rig.open();
    const other = await rig.open({ guest: 'other' });
    slow.browser.socket.pause();
    const before = process.memoryUsage().arrayBuffers;
    const piece = Buffer.alloc(60_000);
    const flood = setInterval(() => {
      if (slow.dom0.socket.bufferedAmount < 2 ** 20) for (let each = 0; each < 20; each += 1) slow.dom0.socket.send(piece);
    }, 5);
    for (let turn = 0; turn < 5; turn += 1) {
      other.browser.socket.send(Buffer.from('x'));
      await expect.poll(() => other.dom0.bytes.length).toBe(turn + 1);
      await sleep(50);
    }
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(32 * 2 ** 20);
    expect(await slow.dom0.closed).toBe('slow');
    clearInterval(flood);
    slow.browser.socket.terminate();
    other.browser.socket.send(Buffer.from('x'));
    await expect.poll(() => other.dom0.bytes.length).toBe(6);
  });
});

describe('the server', () => {
  it('answers who asks for another protocol, or at another path, as if it had not', async () => {
    await start();
    const ask = (path: string, more: string): Promise<string> =>
      talk(rig.server.port, (socket) => socket.write(`GET ${path} HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\n${more}\r\n\r\n`));
    expect(await ask('/console/browser', 'Upgrade: h2c')).toMatch(/^HTTP\/1\.1 404 .*nothing$/s);
    expect(await ask('/console/browser?ticket=x', 'Upgrade: websocket')).toMatch(/^HTTP\/1\.1 404 /);
    expect(await ask('/v1/guests', 'Upgrade: websocket\r\nContent-Length: 5')).toMatch(/^HTTP\/1\.1 400 .*urn:guestflow:problem:upgrade/s);
    await expect.poll(async () => (await fetch(rig.server.url)).status).toBe(404);
  });
});
