/**
 * A customer's whole visit, on real Xen: the shop orders, the customer signs in, opens the console, changes the password, breaks the guest, gets a file back
 * out of a backup, reinstalls, is suspended and comes back, and goes. Each test takes up where the one before it ended. Only with `GUESTFLOW_LAB=full`.
 */
import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { WebSocket } from 'ws';
import { stringify } from 'yaml';
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import type { GuestOrder } from '../../contract/guest.ts';
import { CONSOLE_PATHS } from '../../contract/console.ts';
import { SCOPES } from '../../contract/scopes.ts';
import { makeToken } from '../../gateway/v1/tokens.ts';
import { freePort } from '../../system/ports.ts';
import { createRunner } from '../../system/run.ts';
import { stopServer, type ServerProcess } from '../../system/run-server.ts';
import { startGatewayProcess } from '../gateway-process.ts';
import { run } from '../unit/cli/run.ts';
import { visitorOf, type Visitor } from '../unit/gateway/page/visitor.ts';
import { inGuest, leftOf, onDom0 } from './guests.ts';
import { inventoryOf, type Inventory } from './inventory.ts';
import { IS_FULL, openRig, type Rig } from './rig.ts';
import { SETTINGS, withSettings } from './settings.ts';

const NAME = 'visit';
const IP = '192.168.77.41';
const HOSTNAME = 'shop.example.org';
const GUEST = `/my/guests/${NAME}`;
const FILES = `${GUEST}/files`;
/** An emulated machine takes its time. */
const LIMIT_MS = 1_200_000;

const token = makeToken('shop', Object.keys(SCOPES), new Date());

let rig: Rig;
let before: Inventory;
let order: GuestOrder;
let directory: string;
let port: number;
let gateway: ServerProcess | undefined;
let customer: Visitor;
/** Ends the visit: settings of the dom0 are as before then. */
let goHome: () => Promise<void>;
let password = '';

/** What the module for WHMCS sends, and what the lab's dom0 has room for. */
const ORDER = {
  ...{ order: 'whmcs-12', name: NAME, plan: 'small', hostname: HOSTNAME, customer: 'whmcs-7' },
  ...{ dom0: 'lab', ip: IP, disk: '1GiB', recipe: 'direct' },
};

beforeAll(async () => {
  if (!IS_FULL) return;
  rig = await openRig(inject('lab'));
  before = await inventoryOf(rig.lab);
  order = await rig.order({ name: NAME, order: ORDER.order, ip: IP, disk: '1GiB', recipe: 'direct' });
  directory = mkdtempSync(join(tmpdir(), 'guestflow-visit-'));
  port = await freePort();
  writeFileSync(join(directory, 'tokens'), stringify({ tokens: [token.record] }), { mode: 0o600 });
  writeFileSync(join(directory, 'page-key'), randomBytes(32).toString('base64url'), { mode: 0o600 });
  gateway = await startGatewayProcess(
    port,
    [
      ...['--address', `127.0.0.1:${String(rig.temporalPort)}`, '--token-file', join(directory, 'tokens')],
      ...['--page-origin', `http://localhost:${String(port)}`, '--page-key-file', join(directory, 'page-key')],
    ],
    join(directory, 'gateway.log'),
  );
  await connectDom0();
}, LIMIT_MS);

afterAll(async () => {
  if (!IS_FULL) return;
  await goHome();
  if (gateway !== undefined) await stopServer(gateway);
  rmSync(directory, { recursive: true, force: true });
  await rig.close();
}, LIMIT_MS);

/** The dom0 reaches the gateway at its own address, by a login that passes the port on. */
async function connectDom0(): Promise<void> {
  const passedOn = new AbortController();
  const at = `127.0.0.1:${String(port)}`;
  const passing = createRunner()
    .run('ssh', ['-F', rig.sshConfigFile, '-N', '-R', `${at}:${at}`, 'dom0'], { signal: passedOn.signal, timeoutMs: 4 * LIMIT_MS })
    .catch(() => undefined);
  let leave = (): void => undefined;
  const visit = new Promise<void>((resolve) => (leave = resolve));
  let isSet = (): void => undefined;
  const set = new Promise<void>((resolve) => (isSet = resolve));
  const settings = withSettings(rig, `echo 'consoleGateway: http://${at}' >> ${SETTINGS}`, () => {
    isSet();
    return visit;
  });
  goHome = async () => {
    leave();
    await settings;
    passedOn.abort();
    await passing;
  };
  await Promise.race([set, settings]);
}

async function ask<T = Record<string, unknown>>(method: string, path: string, body?: object): Promise<T> {
  const response = await fetch(`http://127.0.0.1:${String(port)}${path}`, {
    method,
    headers: { authorization: `Bearer ${token.token}`, ...(body === undefined ? {} : { 'content-type': 'application/json' }) },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  const text = await response.text();
  if (!response.ok) throw new Error(`${method} ${path}: ${String(response.status)} ${text}`);
  return JSON.parse(text) as T;
}

/** Waits until nothing is done on the guest, by the operation's own long poll; fails with what failed. */
async function settled(phase: string): Promise<void> {
  for (;;) {
    const guest = await ask<{ phase: string; operation?: object; waiting: string[]; error?: object }>('GET', `/v1/guests/${NAME}`);
    if (guest.operation === undefined && guest.waiting.length === 0 && !['ordered', 'provisioning'].includes(guest.phase)) {
      expect(guest.error).toBeUndefined();
      expect(guest.phase).toBe(phase);
      return;
    }
    const { operations } = await ask<{ operations: { id: string; state: string }[] }>('GET', `/v1/guests/${NAME}/operations`);
    const pending = operations.find(({ state }) => state === 'pending');
    if (pending !== undefined) await ask('GET', `/v1/guests/${NAME}/operations/${pending.id}?wait=20`);
  }
}

const html = async (path: string): Promise<string> => (await customer.get(path)).text();
/** Sends the form of a page of the customer's. */
async function press(page: string, action: string, fields: Record<string, string> = {}): Promise<string> {
  const answer = await customer.post(
    action,
    { ...customer.formOf(await html(page), action), ...fields },
    { origin: `http://localhost:${String(port)}` },
  );
  expect(answer.status, await answer.clone().text()).toBeLessThan(400);
  return answer.text();
}

const login = (script: string): Promise<string> => inGuest(rig, { name: NAME }, IP, script);

/** The console in a browser: what is typed, and what it shows. */
async function onConsole(dialogue: readonly (readonly [sees: RegExp, types: string])[]): Promise<string> {
  const path = `${GUEST}/console`;
  const { ticket } = JSON.parse(await press(path, path)) as { ticket: string };
  const socket = new WebSocket(`ws://127.0.0.1:${String(port)}${CONSOLE_PATHS.browser}`, { origin: `http://localhost:${String(port)}` });
  let shown = '';
  let end = '';
  socket.on('open', () => socket.send(JSON.stringify({ ticket })));
  socket.on('message', (data: Buffer, isBinary) => {
    if (isBinary) shown += data.toString();
    // It shows nothing until somebody types.
    else socket.send(Buffer.from('\r'));
  });
  socket.on('close', (_code, reason) => (end = reason.toString()));
  try {
    for (const [sees, types] of dialogue) {
      await expect.poll(() => (end === '' ? shown : `ended: ${end}`), { timeout: 240_000, interval: 500 }).toMatch(sees);
      shown = '';
      socket.send(Buffer.from(types));
    }
    return shown;
  } finally {
    socket.close();
  }
}

describe.runIf(IS_FULL)('a visit', { timeout: LIMIT_MS }, () => {
  test('begins with an order of the shop, whose customer comes by a link and sees his server', async () => {
    await ask('POST', '/v1/guests', { ...ORDER, sshKeys: [rig.publicKey.trim()] });
    // Its first backup makes way for what is asked of it.
    expect((await rig.flow.waitFor(NAME)).phase).toBe('running');
    customer = visitorOf((request) => {
      const { pathname, search } = new URL(request.url);
      return fetch(`http://127.0.0.1:${String(port)}${pathname}${search}`, {
        method: request.method,
        headers: Object.fromEntries(request.headers),
        redirect: 'manual',
        ...(request.body === null ? {} : { body: request.body, duplex: 'half' }),
      });
    });
    const { url } = await ask<{ url: string }>('POST', `/v1/guests/${NAME}/sign-in`, {});
    const [page] = url.split('?');
    await customer.post('/my/sign-in', { ticket: new URL(url).searchParams.get('ticket') ?? '' }, { origin: new URL(page ?? '').origin });
    expect(await html(GUEST)).toContain(HOSTNAME);
    expect(await html('/my')).toContain(NAME);
  });

  test('goes on with a new password, which opens the console', async () => {
    const shown = await press(`${GUEST}/password`, `${GUEST}/password`, { how: 'make' });
    password = /class="secret"[^>]*>([^<]+)</.exec(shown)?.[1] ?? '';
    expect(password).toMatch(/^[a-zA-Z2-9]{20}$/);
    await settled('running');
    const said = await onConsole([
      [/login: $/, 'root\r'],
      [/Password: $/, `${password}\r`],
      [/root@shop:~# $/, 'echo "seen on $(hostname)"; exit\r'],
      [/seen on shop/, ''],
    ]);
    expect(said).toBe('');
  });

  test('gets a file back out of a backup, as it was, while the server runs', async () => {
    const content = Buffer.from(await login('head -c 300000 /dev/urandom > /root/precious; sync; base64 /root/precious'), 'base64');
    expect(content).toHaveLength(300_000);
    await press(GUEST, `${GUEST}/backup`);
    await settled('running');
    await login('rm /root/precious; sync');
    const { backups } = await ask<{ backups: { id: string }[] }>('GET', `/v1/guests/${NAME}/backups`);
    const at = (path: string): string => Buffer.from(path).toString('base64url');
    const backup = backups[0]?.id ?? '';
    const page = `${FILES}?backup=${backup}`;
    await press(page, FILES);
    await expect.poll(() => html(page), { timeout: 600_000, interval: 2_000 }).toContain('lost+found/');
    expect(await html(`${page}&at=${at('root')}`)).toContain('precious');
    const answer = await customer.get(`${FILES}/download?backup=${backup}&at=${at('root/precious')}&as=file`);
    expect(Buffer.from(await answer.arrayBuffer()).equals(content)).toBe(true);
    expect(await onDom0(rig, `find /home/xen/.guestflow-files -type f -name image | wc -l; pgrep -fc '[p]rogram read-image' || true`)).toBe(
      '1\n0\n',
    );
  });

  test('breaks the server, has it installed anew, and finds it as new', async () => {
    await login('rm -rf /etc/ssh /root/.ssh; sync');
    await expect(login('true')).rejects.toThrow();
    await press(`${GUEST}/reinstall`, `${GUEST}/reinstall`);
    await settled('running');
    expect(await login('test ! -e /root/precious && hostname')).toBe('shop\n');
  });

  test('is suspended, sees that, and comes back', async () => {
    await ask('POST', `/v1/guests/${NAME}/suspend`, {});
    await settled('suspended');
    expect(await html(GUEST)).toContain('switched off by your provider');
    await expect(login('true')).rejects.toThrow();
    await ask('POST', `/v1/guests/${NAME}/resume`, {});
    await settled('running');
    expect(await login('hostname')).toBe('shop\n');
  });

  test('is watched: the fleet, its traffic and its operations are told', async () => {
    const { stdout } = await run(['top', '--once', '--json', '--address', `127.0.0.1:${String(rig.temporalPort)}`]);
    expect(JSON.parse(stdout)).toMatchObject({ dom0s: [expect.objectContaining({ dom0: 'lab' }) as object] });
    const { months } = await ask<{ months: { inBytes: number; outBytes: number }[] }>('GET', `/v1/guests/${NAME}/usage`);
    expect(months[0]?.outBytes).toBeGreaterThan(0);
    expect(await html(`${GUEST}/traffic`)).toContain('<table');
  });

  test('ends, and leaves nothing', async () => {
    await ask('POST', `/v1/guests/${NAME}/terminate`, { now: true, confirm: NAME });
    await expect
      .poll(() => ask<{ phase: string }>('GET', `/v1/guests/${NAME}`).then(({ phase }) => phase), { timeout: 600_000, interval: 2_000 })
      .toBe('gone');
    expect(await leftOf(rig, order, before)).toEqual([]);
  });
});
