/**
 * From a signup to the last byte, as a customer and a billing system see it: a signed event of Stripe's makes a guest on a real Xen, whatever dies meanwhile;
 * what is then said of the subscription, and asked for at the REST API, is what becomes of the guest.
 */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import Stripe from 'stripe';
import { afterAll, beforeAll, expect, inject, test } from 'vitest';
import { backupPlace } from '../../contract/backup-place.ts';
import { guestNameOfOrder } from '../../order/billing-events.ts';
import { GiB, MiB } from '../../contract/sizes.ts';
import type { GuestOrder, GuestPhase, GuestStatus } from '../../contract/guest.ts';
import { session, stripeEvent, subscription } from '../unit/gateway/webhooks/stripe-events.ts';
import { allThatDies, randomOf, strike } from './faults.ts';
import { complaintsAbout, domainOf, inGuest, leftOf, onDom0, volumesOf } from './guests.ts';
import { inventoryOf, type Inventory } from './inventory.ts';
import { startGateway, type GatewayProcess } from './processes.ts';
import { IS_FULL, openRig, SEED, withoutComment, type Rig } from './rig.ts';
import { extentsAt, placesOf, plantPattern, searchFree, searchPattern } from './tenants.ts';

const ORDER = 'SUB-10042';
const NAME = guestNameOfOrder(ORDER);
const HOSTNAME = 'shop.example.org';
const SECRET = 'whsec_story_0123456789abcdef';
const DISKS = 'disk: 1GiB, swap: 128MiB';
const PLANS = `tiny: {memory: 256MiB, vcpus: 1, maxMemory: 320MiB, maxVcpus: 2, graceDays: 3, ${DISKS}}
more: {memory: 320MiB, vcpus: 2, graceDays: 3, ${DISKS}}
`;
const PRICES = 'prices:\n  price_tiny: tiny\n  price_more: more\n';
const LIMIT_MS = 900_000;
/** A minute or so: the control worker comes up beside an emulator. */
const MOST_SENDINGS = 60;

let rig: Rig;
let gateway: GatewayProcess;
let before: Inventory;
let token: string;
let clock = Math.floor(Date.now() / 1000) - 100;

beforeAll(async () => {
  rig = await openRig(inject('lab'));
  before = await inventoryOf(rig.lab);
  const file = async (name: string, text: string): Promise<string> => {
    const path = join(rig.stateDir, name);
    await writeFile(path, text, { mode: 0o600 });
    return path;
  };
  gateway = await startGateway(rig.stateDir, `127.0.0.1:${String(rig.temporalPort)}`, {
    stripeSecretFile: await file('stripe-secret', `${SECRET}\n`),
    tokenFile: join(rig.stateDir, 'tokens.yaml'),
    plans: await file('plans.yaml', PLANS),
    prices: await file('prices.yaml', PRICES),
  });
  ({ token } = gateway);
});
afterAll(async () => {
  await gateway.stop();
  await rig.close();
});

/** What Stripe sends about the subscription: each event a second later than the one before; what is answered 503 is sent again, as Stripe does. */
async function stripeSays(type: string, object: object): Promise<Response> {
  clock += 1;
  const event = stripeEvent({ id: `evt_${String(clock)}`, type, object });
  const body = JSON.stringify({ ...event, created: clock });
  for (let sent = 1; ; sent += 1) {
    const response = await fetch(`${gateway.url}/webhooks/stripe`, {
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        'stripe-signature': Stripe.webhooks.generateTestHeaderString({ payload: body, secret: SECRET }),
      },
      body,
    });
    if (response.status !== 503 || sent === MOST_SENDINGS) return response;
    await sleep(1_000);
  }
}

/** Stripe's limit for a value of metadata is 500 characters: a key fits. */
const metadata = (): object => ({ metadata: { order: ORDER, hostname: HOSTNAME, plan: 'tiny', sshKeys: rig.publicKey } });
const priced = (price = 'price_tiny'): object => ({
  ...metadata(),
  items: { object: 'list', data: [{ id: 'si_1', object: 'subscription_item', price: { id: price, object: 'price' } }] },
});

async function api(method: 'GET' | 'POST', path: string, body?: object): Promise<{ status: number; document: Record<string, unknown> }> {
  const response = await fetch(`${gateway.url}/v1/guests/${NAME}${path}`, {
    method,
    headers: { authorization: `Bearer ${token}`, ...(body === undefined ? {} : { 'content-type': 'application/json' }) },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  return { status: response.status, document: (await response.json()) as Record<string, unknown> };
}

async function untilPhase(phase: GuestPhase): Promise<GuestStatus> {
  let status: GuestStatus | undefined;
  await expect
    .poll(
      async () => {
        status = await rig.flow.status(NAME).catch(() => undefined);
        return status?.operation === undefined ? status?.phase : 'busy';
      },
      { timeout: LIMIT_MS, interval: 1_000 },
    )
    .toBe(phase);
  if (status === undefined) throw new Error(`${NAME} has no status`);
  return status;
}

const orderOf = (): GuestOrder =>
  ({ name: NAME, order: ORDER, dom0: 'lab', size: { diskBytes: GiB, swapBytes: 128 * MiB }, access: { managed: false } }) as GuestOrder;
const inside = async (script: string): Promise<string> => {
  const { spec } = await rig.flow.status(NAME);
  return inGuest(rig, { name: NAME }, spec?.network.ip ?? '', script);
};

test('a checkout that is not paid yet orders nothing; once it is paid, the customer logs in to a guest of the host name that was bought', async () => {
  expect((await stripeSays('checkout.session.completed', session({ payment_status: 'unpaid', ...metadata() }))).status).toBe(200);
  expect((await stripeSays('customer.subscription.created', subscription('incomplete', priced()))).status).toBe(200);
  await expect(rig.flow.status(NAME)).rejects.toMatchObject({ type: 'NotFound' });
  expect((await stripeSays('customer.subscription.updated', subscription('active', priced()))).status).toBe(200);
  // In full, faults.test.ts has an order of its own for them.
  if (!IS_FULL) {
    await expect.poll(() => rig.flow.exists(NAME), { timeout: LIMIT_MS, interval: 500 }).toBe(true);
    await strike(rig, NAME, allThatDies(randomOf(SEED)), (message) => {
      process.stderr.write(`lab: ${message}\n`);
    });
  }
  await untilPhase('running');
  expect(await inside('hostname; echo bought > /root/bought; sync')).toBe(`${HOSTNAME.split('.')[0] ?? ''}\n`);
  expect((await api('GET', '')).document).toMatchObject({ phase: 'running', plan: 'tiny', order: ORDER, hostname: HOSTNAME });
});

test('the guest is as it was bought: on its own volumes, started with its dom0, sealed, with the memory, processors and disks of its plan', async () => {
  expect(await complaintsAbout(rig, orderOf(), before)).toEqual([]);
  expect(await domainOf(rig, NAME)).toMatchObject({ memoryMiB: 256, vcpus: 1 });
  const seen = await inside(
    'blockdev --getsize64 /dev/xvda2 /dev/xvda1; swapon --noheadings --show=NAME; systemctl is-active systemd-timesyncd; wc -c < /etc/machine-id; cat /root/.ssh/authorized_keys',
  );
  expect(seen.trim().split('\n')).toEqual([String(GiB), String(128 * MiB), '/dev/xvda1', 'active', '33', withoutComment(rig.publicKey)]);
});

test('its backup is what its record says; the next one comes by its Schedule; one that is asked for leaves no snapshot', async () => {
  // Fsynced just before, so that it is at most in the journal of the snapshot.
  await inside('head -c 3000000 /dev/urandom > /root/durable; sync /root/durable; sha256sum /root/durable > /root/sum; sync /root/sum');
  const { backup } = await rig.flow.operate(NAME, 'backup');
  const path = backup === undefined ? '' : backupPlace(backup);
  expect(await onDom0(rig, `sha256sum ${path}`)).toContain(backup?.sha256);
  // The one that came with the order was of the same day: retention keeps the last of each.
  expect((await rig.flow.status(NAME)).backups).toMatchObject([{ id: backup?.id, state: 'verified' }]);
  expect((await volumesOf(rig, NAME)).map(({ name }) => name).sort()).toEqual([`${NAME}-root`, `${NAME}-swap`]);
  const { policies } = await rig.temporal.schedule.getHandle(`nightly/${NAME}`).describe();
  expect(policies).toMatchObject({ overlap: 'ALLOW_ALL', catchupWindow: 6 * 3_600_000 });
});

test('restored, it has what was written before the backup, and not what was written after; its disk of before is there until it is given up', async () => {
  await inside('echo later > /root/later; echo changed > /root/bought; sync');
  const { kept, phase } = await rig.flow.operate(NAME, 'restore');
  expect({ phase, kept }).toMatchObject({ phase: 'running', kept: { role: 'former' } });
  const look = 'cat /root/bought; sha256sum -c --quiet /root/sum && echo same; ls /root/later 2>/dev/null';
  expect(await inside(`${look}; true`)).toBe('bought\nsame\n');
  const names = async (): Promise<string[]> => (await volumesOf(rig, NAME)).map(({ name }) => name.slice(NAME.length + 1)).sort();
  expect(await names()).toEqual(['former', 'root', 'swap']);
  if (IS_FULL) {
    await rig.flow.operate(NAME, 'undoRestore');
    expect(await inside('cat /root/bought /root/later')).toBe('changed\nlater\n');
    expect(await names()).toEqual(['restored', 'root', 'swap']);
    await inside('echo bought > /root/bought; sync');
  }
  await rig.flow.operate(NAME, 'keepRestored');
  expect(await names()).toEqual(['root', 'swap']);
  expect(await complaintsAbout(rig, orderOf(), before)).toEqual([]);
});

test.runIf(IS_FULL)('another guest from its backup has what was on it, and is another machine', async () => {
  const copy = await rig.flow.orderOfCopy(NAME, { name: 'copy', order: 'story-copy' });
  await rig.flow.order(copy);
  const status = await rig.flow.waitFor('copy');
  expect(await rig.flow.failureOf(status)).toBeUndefined();
  const look = 'cat /root/bought; hostname; cat /etc/machine-id /etc/ssh/ssh_host_ed25519_key.pub; findmnt -no UUID /';
  const [first, second] = await Promise.all([inside(look), inGuest(rig, copy, status.spec?.network.ip ?? '', look)]);
  const [bought, hostname, ...identity] = second.trim().split('\n');
  expect([bought, hostname]).toEqual(['bought', 'copy']);
  for (const part of identity) expect(first).not.toContain(part);
  expect((await rig.flow.operate('copy', 'terminate', { now: true })).phase).toBe('gone');
});

test.runIf(IS_FULL)('proven: what is restored of its last backup comes up beside it, without a network, and goes again', async () => {
  const { id } = (await domainOf(rig, NAME)) ?? {};
  const proving = rig.flow.operate(NAME, 'prove');
  const isSeen = (async (): Promise<string> => {
    await expect.poll(async () => (await domainOf(rig, `${NAME}+trial`)) !== undefined, { timeout: LIMIT_MS, interval: 1_000 }).toBe(true);
    return onDom0(rig, `xl network-list '${NAME}+trial'`);
  })();
  const [{ backup }, vifs] = await Promise.all([proving, isSeen]);
  expect(vifs.trim().split('\n')).toHaveLength(1);
  expect(backup).toMatchObject({ state: 'proven', proof: { outcome: 'proven', what: `${HOSTNAME.split('.')[0] ?? ''} login:` } });
  expect((await domainOf(rig, NAME))?.id).toBe(id);
  expect(await complaintsAbout(rig, orderOf(), before)).toEqual([]);
});

test('a dearer price gives it memory and a processor while it runs', async () => {
  const { id } = (await domainOf(rig, NAME)) ?? {};
  expect((await stripeSays('customer.subscription.updated', subscription('active', priced('price_more')))).status).toBe(200);
  await expect.poll(async () => (await rig.flow.status(NAME)).plan, { timeout: LIMIT_MS, interval: 1_000 }).toBe('more');
  await untilPhase('running');
  expect(await domainOf(rig, NAME)).toMatchObject({ id, memoryMiB: 320, vcpus: 2 });
  expect((await inside('nproc')).trim()).toBe('2');
});

test('an event that nobody signed, or that comes late with an old time, changes nothing', async () => {
  const forged = await fetch(`${gateway.url}/webhooks/stripe`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'stripe-signature': 't=1,v1=00' },
    body: JSON.stringify(stripeEvent({ type: 'customer.subscription.deleted', object: subscription('canceled', priced('price_more')) })),
  });
  expect([400, 401]).toContain(forged.status);
  const now = clock;
  clock -= 50;
  expect((await stripeSays('customer.subscription.updated', subscription('unpaid', priced('price_more')))).status).toBe(200);
  clock = now;
  expect((await api('GET', '')).document).toMatchObject({ phase: 'running', waiting: [] });
});

test('a subscription that is not paid any more suspends the guest, and paid again it resumes, with what was on it', async () => {
  expect((await stripeSays('customer.subscription.updated', subscription('unpaid', priced('price_more')))).status).toBe(200);
  await untilPhase('suspended');
  expect(await domainOf(rig, NAME)).toBeUndefined();
  expect(await onDom0(rig, 'ls -A /etc/xen/auto')).toBe('');
  expect((await stripeSays('customer.subscription.updated', subscription('active', priced('price_more')))).status).toBe(200);
  await untilPhase('running');
  expect(await inside('cat /root/bought')).toBe('bought\n');
});

test('a subscription that is deleted terminates the guest, whose disks stay for its grace period; the operator brings it back with its address', async () => {
  const address = (await rig.flow.status(NAME)).spec?.network.ip;
  expect((await stripeSays('customer.subscription.deleted', subscription('canceled', priced('price_more')))).status).toBe(200);
  const { graceUntil } = await untilPhase('terminating');
  expect(Date.parse(graceUntil ?? '') - Date.now()).toBeGreaterThan(2.9 * 86_400_000);
  expect((await volumesOf(rig, NAME)).map(({ name }) => name).sort()).toEqual([`del-${NAME}-root`, `del-${NAME}-swap`]);
  expect((await api('POST', '/undelete')).status).toBeLessThan(300);
  expect((await untilPhase('running')).spec?.network.ip).toBe(address);
  expect(await inside('cat /root/bought')).toBe('bought\n');
});

let places: readonly string[];

test('terminated for good it is gone: dom0, ledger and Temporal are as before the signup', async () => {
  await rig.flow.operate(NAME, 'destroy');
  places = await placesOf(rig, NAME);
  for (const volume of ['root', 'swap']) await plantPattern(rig, `/dev/vg01/${NAME}-${volume}`);
  expect((await api('POST', '/terminate', { now: true })).status).toBe(422);
  expect((await api('POST', '/terminate', { now: true, confirm: NAME })).status).toBeLessThan(300);
  await expect.poll(async () => (await rig.flow.status(NAME)).phase, { timeout: LIMIT_MS, interval: 1_000 }).toBe('gone');
  expect(await leftOf(rig, orderOf(), before)).toEqual([]);
  expect(await rig.flow.dom0Task('lab', 'audit')).toEqual([]);
});

test('none of its bytes is left where its disks were', async () => {
  expect(extentsAt(places).size).toBeGreaterThanOrEqual((GiB + 128 * MiB) / (4 * MiB));
  expect(await searchFree(rig, places)).toBe(0);
  expect(await leftOf(rig, orderOf(), before)).toEqual([]);
});

test.runIf(IS_FULL)(
  'none of its bytes is on the disks of the next guest, which stand on the same extents; that order is cancelled, and undone whole',
  async () => {
    const next = await rig.order({ name: 'beta', order: 'story-2', disk: '1GiB' });
    await rig.flow.order(next);
    await expect
      .poll(async () => (await volumesOf(rig, 'beta')).filter(({ tags }) => !tags.includes('guestflow.unfinished')).length, {
        timeout: LIMIT_MS,
        interval: 1_000,
      })
      .toBe(2);
    const former = extentsAt(places);
    const same = [...extentsAt(await placesOf(rig, 'beta'))].filter((extent) => former.has(extent));
    expect(same.length).toBeGreaterThanOrEqual((next.size.diskBytes + next.size.swapBytes) / (4 * MiB));
    for (const volume of ['root', 'swap']) expect(await searchPattern(rig, `/dev/vg01/beta-${volume}`)).toBe(0);
    expect(await rig.flow.cancel('beta')).toBe('provision');
    expect(await rig.flow.failureOf(await rig.flow.waitFor('beta'))).toMatchObject({ type: 'Cancelled' });
    expect(await leftOf(rig, next, before)).toEqual([]);
  },
);
