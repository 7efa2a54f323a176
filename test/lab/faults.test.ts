/**
 * What is promised when things break, on a real Xen: an order is finished or undone, whatever dies and whenever. `GUESTFLOW_LAB=full` adds the long ones:
 * twenty kills, the power cut in each step, the network away for longer than a heartbeat may be late, a guest that panics, a disk that fills up.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import { PROVISION_STEPS } from '../../contract/progress.ts';
import type { GuestOrder, GuestPhase } from '../../contract/guest.ts';
import { allThatDies, FAULTS, FIRST_BACKUP_STEP, momentIn, outcomeOf, randomOf, strike, withFullDisk, withoutKernel } from './faults.ts';
import { leftOf, untilStep } from './guests.ts';
import { inventoryOf, type Inventory } from './inventory.ts';
import { IS_FULL, openRig, SEED, type Rig } from './rig.ts';

const LONG_MS = 3_000_000;
const KILLS = 20;

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

const orderGuest = async (name: string, more: object = {}): Promise<GuestOrder> => {
  const order = await rig.order({ name, order: `faults-${name}`, disk: '1GiB', ...more });
  await rig.flow.order(order);
  orders.push(order);
  return order;
};
/** Names of the guests that an earlier test has left running. */
const others = async (): Promise<string[]> => (await rig.flow.list()).filter(({ phase }) => phase === 'running').map(({ name }) => name);
const say = (text: string): void => {
  process.stderr.write(`lab: ${text}\n`);
};
/** The order is finished as ordered or undone whole: the checks are those of `outcomeOf`. */
const expectGoodEnd = async (order: GuestOrder): Promise<void> => {
  const { phase, reason, wrong } = await outcomeOf(
    rig,
    order,
    before,
    (await others()).filter((name) => name !== order.name),
  );
  say(`${order.name} is ${phase}${reason === '' ? '' : ` (${reason.split('\n')[0] ?? ''})`}`);
  expect(wrong).toEqual([]);
};

describe(`seed ${String(SEED)}`, () => {
  test.runIf(IS_FULL)('an order that is cancelled while its image is made is undone whole', async () => {
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

  test('an order whose kernel is none ends with what xl says, and is undone whole', async () => {
    const { phase, reason, wrong } = await withoutKernel(rig, async () => outcomeOf(rig, await orderGuest('lambda'), before));
    say(`lambda: ${reason}`);
    expect({ phase, wrong }).toEqual({ phase: 'failed', wrong: [] });
    expect(reason).toMatch(/^ToolFailed: xl create ended with exit code 3: [^]*xc_dom_parse_image failed/);
  });

  test.runIf(IS_FULL)('an order whose guest panics and restarts in a loop ends with its console, and is undone whole', async () => {
    const order = await orderGuest('my', { extra: ['panic=1', 'init=/nonexistent'] });
    const { phase, reason, wrong } = await outcomeOf(rig, order, before);
    say(`${order.name}: ${reason}`);
    expect({ phase, wrong }).toEqual({ phase: 'failed', wrong: [] });
    expect(reason).toMatch(/^GuestDidNotAnswer: guest my (restarted \d+ times|stopped)[^]*panic/i);
  });

  test.runIf(IS_FULL)('an order during whose copy the disk fills up says so, and is undone whole', async () => {
    const order = await orderGuest('ny');
    await untilStep(rig, order.name, 'create-image');
    const { phase, reason, wrong } = await withFullDisk(rig, () => outcomeOf(rig, order, before));
    say(`${order.name}: ${reason}`);
    expect({ phase, wrong }).toEqual({ phase: 'failed', wrong: [] });
    expect(reason).toMatch(/no space|not enough|too little|free/i);
  });

  // In short, the order of story.test.ts goes through it.
  test.runIf(IS_FULL)(
    'an order is finished or undone, whatever dies, and whenever: its dom0 worker again and again, its dom0, Temporal, the control worker, the way between them',
    async () => {
      const order = await orderGuest('gamma');
      await strike(rig, order.name, allThatDies(random), say);
      await expectGoodEnd(order);
    },
  );

  test.runIf(IS_FULL)(
    'orders during which the worker is killed twenty times are finished or undone, and so is their end',
    async () => {
      let kills = 0;
      /** Only a kill that ended a worker counts, and only while something is done. */
      const killWhile = async (isUnderWay: (phase: GuestPhase) => boolean, name: string, [least, most]: readonly [number, number]) => {
        while (kills < KILLS) {
          await sleep(least + random() * (most - least));
          if (!isUnderWay((await rig.flow.status(name)).phase)) return;
          if (await FAULTS['worker killed'](rig)) kills += 1;
        }
      };
      for (let made = 1; kills < KILLS; made += 1) {
        const order = await orderGuest(`xi${String(made)}`);
        await killWhile((phase) => phase === 'ordered' || phase === 'provisioning', order.name, [5_000, 30_000]);
        await expectGoodEnd(order);
        say(`${order.name}: the worker was killed ${String(kills)} times by now`);
        if ((await rig.flow.status(order.name)).phase !== 'running') continue;
        const ending = rig.flow.operate(order.name, 'terminate', { now: true });
        await Promise.all([ending, killWhile((phase) => phase !== 'gone', order.name, [3_000, 13_000])]);
        expect((await ending).phase).toBe('gone');
        expect(await leftOf(rig, order, before, await others())).toEqual([]);
      }
      expect(kills).toBe(KILLS);
    },
    LONG_MS,
  );

  test.runIf(IS_FULL)(
    'an order in each of whose steps the power is cut is finished or undone',
    async () => {
      const order = await orderGuest('omikron');
      // The first step is the ledger's.
      const steps = [...PROVISION_STEPS.flatMap((step) => (step === 'reserve' ? [] : [step])), FIRST_BACKUP_STEP] as const;
      await strike(
        rig,
        order.name,
        steps.map((step) => momentIn(random, 'power cut', step)),
        say,
      );
      await expectGoodEnd(order);
    },
    LONG_MS,
  );

  test.runIf(IS_FULL)(
    'a step that Temporal has given up while the way to it was cut does not meet itself when it is handed out again',
    async () => {
      const order = await orderGuest('pi');
      await strike(
        rig,
        order.name,
        [momentIn(random, 'link cut for long', 'create-image', 15_000), momentIn(random, 'link cut for long', 'lvm-migration', 30_000)],
        say,
      );
      await expectGoodEnd(order);
    },
    LONG_MS,
  );

  test('after all of that, the guests are terminated, and dom0, ledger and Temporal are as before', async () => {
    const running = await others();
    await Promise.all(
      orders.filter(({ name }) => running.includes(name)).map(({ name }) => rig.flow.operate(name, 'terminate', { now: true })),
    );
    for (const order of orders) expect(await leftOf(rig, order, before)).toEqual([]);
  });
});
