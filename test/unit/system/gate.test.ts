import { expect, it } from 'vitest';
import { Gate } from '../../../system/gate.ts';

/** Work that ends when it is told to, and says when it began. */
function held(began: string[], name: string): { work: () => Promise<string>; end: (error?: Error) => void } {
  let end: (error?: Error) => void = () => undefined;
  const ended = new Promise<string>((resolve, reject) => {
    end = (error) => (error === undefined ? resolve(name) : reject(error));
  });
  return { work: () => (began.push(name), ended), end };
}

const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

it('so many at a time for each key, in the order in which they came; the turn of one that fails is passed on', async () => {
  const began: string[] = [];
  const gate = new Gate(2);
  const one = (name: string): ReturnType<typeof held> => held(began, name);
  const [a, b, c, d, other] = [one('a'), one('b'), one('c'), one('d'), one('other')];
  const taken = [a, b, c, d].map(({ work }) => gate.pass('xen1', work));
  const elsewhere = gate.pass('xen2', other.work);
  await settle();
  expect(began).toEqual(['a', 'b', 'other']);
  b.end(new Error('refused'));
  await expect(taken[1]).rejects.toThrow('refused');
  await settle();
  expect(began).toEqual(['a', 'b', 'other', 'c']);
  for (const each of [a, c, d, other]) each.end();
  expect(await Promise.all([taken[0], taken[2], taken[3], elsewhere])).toEqual(['a', 'c', 'd', 'other']);
});
