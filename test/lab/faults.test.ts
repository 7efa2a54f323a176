/** What is promised when things break, on a real Xen: an order is finished or undone, whatever dies and whenever. */
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import type { GuestOrder } from '../../contract/types.ts';
import { outcomeOf, pick, randomOf, strike, type FaultName, type Moment } from './faults.ts';
import { complaintsAbout, leftOf } from './guests.ts';
import { inventoryOf, type Inventory } from './inventory.ts';
import { openRig, type Rig } from './rig.ts';

/** `GUESTFLOW_SEED=N` runs the moments of another seed. */
const SEED = Number(process.env['GUESTFLOW_SEED'] ?? '1');

const random = randomOf(SEED);
let rig: Rig;
let before: Inventory;
const orders: GuestOrder[] = [];

beforeAll(async () => {
  rig = await openRig(inject('lab'));
  before = await inventoryOf(rig.lab);
});

afterAll(async () => {
  await rig.close();
});

const orderGuest = async (name: string, changes: { extra?: string } = {}): Promise<GuestOrder> => {
  const order = await rig.order({ name, order: `faults-${name}`, disk: '1GiB', ...changes });
  await rig.flow.order(order);
  orders.push(order);
  return order;
};
const othersThan = ({ name }: GuestOrder): string[] => orders.map((order) => order.name).filter((other) => other !== name);
const moment = (fault: FaultName, step: string, longestMs: number): Moment => ({ fault, step, afterMs: Math.round(random() * longestMs) });

describe(`seed ${String(SEED)}`, () => {
  test('an order goes on when Temporal and the control worker are killed, and when dom0 is cut off for half a minute; another one, whose guest cannot boot, is undone and says what its console said', async () => {
    const good = await orderGuest('gamma');
    const bad = await orderGuest('omega', { extra: 'init=/nonexistent' });
    await strike(rig, good.name, [
      moment('Temporal and control worker killed', pick(random, ['create-image', 'boot']), 10_000),
      moment('link cut', 'lvm-migration', 30_000),
    ]);
    expect(await outcomeOf(rig, good, before, othersThan(good))).toMatchObject({ wrong: [], phase: 'running' });
    expect(await outcomeOf(rig, bad, before, othersThan(bad))).toMatchObject({ wrong: [], phase: 'failed' });
    const failure = await rig.flow.failureOf(await rig.flow.status(bad.name));
    expect(failure).toMatchObject({ type: 'GuestDidNotAnswer' });
    expect(failure?.details.console).toMatch(/Kernel panic|nonexistent/);
  });

  test('an order is finished or undone when its dom0 worker is killed at random moments, and the power cut while its image is made and while its volumes are; a guest that ran comes back', async () => {
    const order = await orderGuest('delta');
    await strike(rig, order.name, [
      moment('worker killed', 'create-image', 10_000),
      moment('power cut', 'create-image', 20_000),
      moment('worker killed', 'boot', 20_000),
      moment('power cut', 'lvm-migration', 30_000),
      moment('worker killed', 'nightly-backup', 15_000),
    ]);
    expect(await outcomeOf(rig, order, before, othersThan(order))).toMatchObject({ wrong: [] });
    const [ran] = orders.filter(({ name }) => name === 'gamma');
    if (ran === undefined) throw new Error('there is no guest that ran');
    // dom0 starts it by itself, beside everything else.
    await expect
      .poll(() => complaintsAbout(rig, ran, before, othersThan(ran)).catch(String), { timeout: 300_000, interval: 5_000 })
      .toEqual([]);
  });

  test('after all of that, the guests are terminated, and dom0, ledger and Temporal are as before', async () => {
    const running = (await rig.flow.list()).filter(({ phase }) => phase === 'running').map(({ name }) => name);
    await Promise.all(
      orders.filter(({ name }) => running.includes(name)).map(({ name }) => rig.flow.operate(name, 'terminate', { now: true })),
    );
    for (const order of orders) expect(await leftOf(rig, order, before)).toEqual([]);
  });
});
