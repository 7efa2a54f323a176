import fc from 'fast-check';
import { expect, it } from 'vitest';
import { canonical } from '../../../contract/canonical.ts';

/** The same value with the keys of every object in the other order. */
function turned(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(turned);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .reverse()
      .map(([key, held]) => [key, turned(held)]),
  );
}

it('is JSON of the same value, whatever the order of the keys', () => {
  fc.assert(
    fc.property(fc.jsonValue(), (value) => {
      expect(JSON.parse(canonical(value))).toEqual(JSON.parse(JSON.stringify(value)));
      expect(canonical(turned(value))).toBe(canonical(value));
    }),
  );
});

it('takes a key that is undefined for one that is not there, and tells lists by their order', () => {
  expect(canonical({ b: 1, a: undefined, c: [undefined, 2] })).toBe('{"b":1,"c":[null,2]}');
  expect(canonical([1, 2])).not.toBe(canonical([2, 1]));
});
