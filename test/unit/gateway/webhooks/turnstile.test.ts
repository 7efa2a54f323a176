/** How much is with Temporal at once. */
import { expect, it } from 'vitest';
import { createTurnstile, type Turnstile } from '../../../../gateway/webhooks/turnstile.ts';

const LATE = new Error('too late');

/** How many are inside at once when a hundred come. */
async function width(turnstile: Turnstile): Promise<number> {
  let [now, most] = [0, 0];
  const work = async (): Promise<void> => {
    most = Math.max(most, (now += 1));
    await new Promise((resolve) => setImmediate(resolve));
    now -= 1;
  };
  await Promise.all(Array.from({ length: 100 }, () => turnstile.pass(work, () => true)));
  return most;
}

/** So many come at once, and all are too late. */
async function late(turnstile: Turnstile, count: number, error = LATE): Promise<void> {
  const fail = async (): Promise<void> => {
    await new Promise((resolve) => setImmediate(resolve));
    throw error;
  };
  await Promise.allSettled(Array.from({ length: count }, () => turnstile.pass(fail, () => true)));
}

it('lets no more through than it has room for', async () => {
  expect(await width(createTurnstile(8, () => false))).toBe(8);
});

it('halves its room once for all that was too late together, down to one, and widens it with what succeeds', async () => {
  const turnstile = createTurnstile(8, (error) => error === LATE);
  await late(turnstile, 8);
  // One success more would make it five.
  let inside = 0;
  const held = Array.from({ length: 8 }, () =>
    turnstile.pass(
      () => new Promise<void>((resolve) => ((inside += 1), setTimeout(resolve, 20))),
      () => true,
    ),
  );
  await new Promise((resolve) => setImmediate(resolve));
  expect(inside).toBe(4);
  await Promise.all(held);
  for (let round = 0; round < 10; round += 1) await late(turnstile, 1);
  const order: number[] = [];
  const one = turnstile.pass(
    async () => {
      order.push(1);
      await new Promise((resolve) => setImmediate(resolve));
      order.push(2);
    },
    () => true,
  );
  const two = turnstile.pass(
    () => Promise.resolve(order.push(3)),
    () => true,
  );
  await Promise.all([one, two]);
  expect(order).toEqual([1, 2, 3]);
  await width(turnstile);
  await width(turnstile);
  expect(await width(turnstile)).toBe(8);
});

it('keeps its room when work fails for another reason', async () => {
  const turnstile = createTurnstile(8, (error) => error === LATE);
  await late(turnstile, 50, new Error('refused'));
  expect(await width(turnstile)).toBe(8);
});

it('does not begin what nobody waits for', async () => {
  const turnstile = createTurnstile(1, () => false);
  const never = (): Promise<string> => Promise.reject(new Error('begun'));
  expect(await turnstile.pass(never, () => false)).toBeUndefined();
  expect(await width(turnstile)).toBe(1);
});
