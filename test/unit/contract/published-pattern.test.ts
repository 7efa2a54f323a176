import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { eitherCase, isLongerThan, numbersPattern } from '../../../contract/published-pattern.ts';

const numbers = Array.from({ length: 3_101 }, (_, number) => number);

describe('the pattern of a range of numbers', () => {
  it('takes each number of the range that is a multiple of the step, and no other', () => {
    const ranges = fc.tuple(fc.nat(3_000), fc.nat(3_000), fc.constantFrom(1, 2, 4, 5, 10));
    fc.assert(
      fc.property(ranges, ([one, other, step]) => {
        const [least, most] = [Math.min(one, other), Math.max(one, other)];
        const pattern = new RegExp(`^${numbersPattern(least, most, step)}$`, 'u');
        expect(numbers.filter((number) => pattern.test(String(number)))).toEqual(
          numbers.filter((number) => number >= least && number <= most && number % step === 0),
        );
        for (const text of ['', `0${String(least)}`, `${String(least)} `]) expect(pattern.test(text)).toBe(false);
      }),
      { numRuns: 50 },
    );
  });
});

describe('the pattern for either case', () => {
  it('takes a word in any mixture of capitals and small letters, and nothing that only folds to it', () => {
    const pattern = new RegExp(`^${eitherCase('mask')}$`, 'u');
    for (const word of ['mask', 'MASK', 'mAsK']) expect(pattern.test(word)).toBe(true);
    // U+017F and U+212A are small s and capital K to engines that fold by Unicode.
    for (const word of ['mas', 'ma\u017Fk', 'mas\u212A']) expect(pattern.test(word)).toBe(false);
  });
});

describe('a length', () => {
  it('is counted in code points, as JSON Schema does', () => {
    expect([isLongerThan('😀'.repeat(4), 4), isLongerThan('😀'.repeat(5), 4), isLongerThan('a'.repeat(5), 4)]).toEqual([false, true, true]);
  });
});
