/** How much is with Temporal at once. */
import { expect, it } from 'vitest';
import { createAdaptiveGate, type AdaptiveGate } from '../../../../gateway/webhooks/adaptive-gate.ts';

const LATE = new Error('too late');

/** How many are inside at once when a hundred come. */
async function width(gate: AdaptiveGate): Promise<number> {
  let [now, most] = [0, 0];
  const work = async (): Promise<void> => {
    most = Math.max(most, (now += 1));
    await new Promise((resolve) => setImmediate(resolve));
    now -= 1;
  };
  await Promise.all(Array.from({ length: 100 }, () => gate.pass(work, () => true)));
  return most;
}

/** So many come at once, and all are too late. */
async function late(gate: AdaptiveGate, count: number, error = LATE): Promise<void> {
  const fail = async (): Promise<void> => {
    await new Promise((resolve) => setImmediate(resolve));
    throw error;
  };
  await Promise.allSettled(Array.from({ length: count }, () => gate.pass(fail, () => true)));
}

it('lets no more through than it has room for', async () => {
  expect(await width(createAdaptiveGate(8, () => false))).toBe(8);
});

it('halves its room once for all that was too late together, down to one, and widens it with what succeeds', async () => {
  const gate = createAdaptiveGate(8, (error) => error === LATE);
  await late(gate, 8);
  // One success more would make it five.
  let inside = 0;
  const held = Array.from({ length: 8 }, () =>
    gate.pass(
      () => new Promise<void>((resolve) => ((inside += 1), setTimeout(resolve, 20))),
      () => true,
    ),
  );
  await new Promise((resolve) => setImmediate(resolve));
  expect(inside).toBe(4);
  await Promise.all(held);
  for (let round = 0; round < 10; round += 1) await late(gate, 1);
  const order: number[] = [];
  const one = gate.pass(
    async () => {
      order.push(1);
      await new Promise((resolve) => setImmediate(resolve));
      order.push(2);
    },
    () => true,
  );
  const two = gate.pass(
    () => Promise.resolve(order.push(3)),
    () => true,
  );
  await Promise.all([one, two]);
  expect(order).toEqual([1, 2, 3]);
  await width(gate);
  await width(gate);
  expect(await width(gate)).toBe(8);
});

it('keeps its room when work fails for another reason', async () => {
  const gate = createAdaptiveGate(8, (error) => error === LATE);
  await late(gate, 50, new Error('refused'));
  expect(await width(gate)).toBe(8);
});

it('does not begin what nobody waits for', async () => {
  const gate = createAdaptiveGate(1, () => false);
  const never = (): Promise<string> => Promise.reject(new Error('begun'));
  expect(await gate.pass(never, () => false)).toBeUndefined();
  expect(await width(gate)).toBe(1);
});
