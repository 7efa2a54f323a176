/** What is promised when things break, on a real Xen: an order is finished or undone, whatever dies and whenever. */
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import type { GuestOrder } from '../../contract/types.ts';
import { outcomeOf, randomOf, strike, type FaultName, type Moment } from './faults.ts';
import { leftOf, untilStep } from './guests.ts';
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

const orderGuest = async (name: string): Promise<GuestOrder> => {
  const order = await rig.order({ name, order: `faults-${name}`, disk: '1GiB' });
  await rig.flow.order(order);
  orders.push(order);
  return order;
};
const moment = (fault: FaultName, step: string, longestMs: number): Moment => ({ fault, step, afterMs: Math.round(random() * longestMs) });

describe(`seed ${String(SEED)}`, () => {
  test('an order that is cancelled while its image is made is undone whole', async () => {
    const order = await orderGuest('kappa');
    await untilStep(rig, order.name, 'create-image');
    await sleep(random() * 20_000);
    expect(await rig.flow.cancel(order.name)).toBe('provision');
    expect(await outcomeOf(rig, order, before)).toMatchObject({
      phase: 'failed',
      reason: expect.stringMatching(/^Cancelled/) as string,
      wrong: [],
    });
  });

  test('an order is finished or undone, whatever dies, and whenever: its dom0 worker and its dom0 again and again, Temporal with the control worker, the way between them', async () => {
    const order = await orderGuest('gamma');
    await strike(rig, order.name, [
      moment('worker killed', 'create-image', 10_000),
      moment('power cut', 'create-image', 20_000),
      moment('Temporal and control worker killed', 'cfg-fix', 30_000),
      moment('worker killed', 'boot', 30_000),
      moment('power cut', 'lvm-migration', 30_000),
      moment('link cut', 'lvm-migration', 60_000),
      moment('worker killed', 'nightly-backup', 15_000),
    ]);
    expect(await outcomeOf(rig, order, before)).toMatchObject({ wrong: [] });
  });

  test('after all of that, the guests are terminated, and dom0, ledger and Temporal are as before', async () => {
    const running = (await rig.flow.list()).filter(({ phase }) => phase === 'running').map(({ name }) => name);
    await Promise.all(
      orders.filter(({ name }) => running.includes(name)).map(({ name }) => rig.flow.operate(name, 'terminate', { now: true })),
    );
    for (const order of orders) expect(await leftOf(rig, order, before)).toEqual([]);
  });
});
