/** Answers that hold for a while. */
import { expect, it } from 'vitest';
import { keepAnswers } from '../../../../gateway/v1/kept-answers.ts';

function counted(): { keep: (key: string) => Promise<number>; clock: { ms: number }; state: { asked: number; fails: boolean } } {
  const [clock, state] = [{ ms: 1_000 }, { asked: 0, fails: false }];
  const kept = keepAnswers<number>(60_000, () => clock.ms);
  const ask = (): Promise<number> => {
    state.asked += 1;
    return state.fails ? Promise.reject(new Error('away')) : Promise.resolve(state.asked);
  };
  return { keep: (key) => kept(key, ask), clock, state };
}

it('what is asked for again within the time gets the same answer, at the same time, too; after it, and under another key, a new one', async () => {
  const { keep, clock } = counted();
  expect(await Promise.all([keep('a'), keep('a')])).toEqual([1, 1]);
  clock.ms += 59_999;
  expect([await keep('a'), await keep('b')]).toEqual([1, 2]);
  clock.ms += 1;
  expect([await keep('a'), await keep('b')]).toEqual([3, 2]);
});

it('a failure is not kept', async () => {
  const { keep, state } = counted();
  state.fails = true;
  await expect(keep('a')).rejects.toThrow('away');
  state.fails = false;
  expect(await keep('a')).toBe(2);
});
