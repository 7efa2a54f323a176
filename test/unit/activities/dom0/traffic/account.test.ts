/** What is added to an account by what its guest's counters show. */
import { describe, expect, it, test } from 'vitest';
import {
  addReading,
  beginAccount,
  KEPT_MONTHS,
  monthsUntil,
  readAccount,
  type Account,
  type Counters,
} from '../../../../../activities/dom0/traffic/account.ts';

const REF = { name: 'guest1', order: 'o1' };
const NOON = '2026-01-15T12:00:00Z';

type Look = readonly [domain: string, vifs: Vifs, at?: string];
type Vifs = Readonly<Record<string, readonly [number, number]>>;

function counters(vifs: Vifs): Counters {
  return Object.fromEntries(Object.entries(vifs).map(([vif, [inBytes, outBytes]]) => [vif, { inBytes, outBytes }]));
}

/** An account that was begun at the first look, with the others added. */
function after(...looks: readonly Look[]): Account {
  const [first, ...others] = looks.map(([domain, vifs, at = NOON]) => ({ domain, counters: counters(vifs), at: new Date(at) }));
  return others.reduce(addReading, beginAccount(REF, first!));
}

function total(account: Account): readonly [number, number] {
  return [account.total.inBytes, account.total.outBytes];
}

describe('an account', () => {
  test.each<[what: string, looks: readonly Look[], counted: [number, number]]>([
    ['nothing before the first look', [['a', { 0: [500, 700] }]], [0, 0]],
    [
      'what the counters went on by',
      [
        ['a', { 0: [500, 700] }],
        ['a', { 0: [600, 1_700] }],
      ],
      [100, 1_000],
    ],
    [
      'nothing twice, when they stand still',
      [
        ['a', { 0: [0, 0] }],
        ['a', { 0: [9, 9] }],
        ['a', { 0: [9, 9] }],
      ],
      [9, 9],
    ],
    [
      'all that a new domain shows',
      [
        ['a', { 0: [500, 700] }],
        ['b', { 0: [30, 40] }],
      ],
      [30, 40],
    ],
    [
      'all that a new domain shows, though it stands higher than the one before',
      [
        ['a', { 0: [5, 7] }],
        ['b', { 0: [30, 40] }],
      ],
      [30, 40],
    ],
    [
      'from zero on, if the counters went back',
      [
        ['a', { 0: [500, 700] }],
        ['a', { 0: [10, 20] }],
      ],
      [10, 20],
    ],
    [
      'both directions from zero on, if one counter went back',
      [
        ['a', { 0: [500, 700] }],
        ['a', { 0: [600, 20] }],
      ],
      [600, 20],
    ],
    [
      'each vif for itself',
      [
        ['a', { 0: [5, 5], 1: [100, 100] }],
        ['a', { 0: [6, 7], 1: [1, 2] }],
      ],
      [2, 4],
    ],
    [
      'a vif that came later as a whole',
      [
        ['a', { 0: [5, 5] }],
        ['a', { 0: [5, 5], 1: [3, 4] }],
      ],
      [3, 4],
    ],
    [
      'nothing twice of a vif that was not seen once',
      [
        ['a', { 0: [500, 700] }],
        ['a', {}],
        ['a', { 0: [501, 702] }],
      ],
      [1, 2],
    ],
    [
      'nothing of a domain without vifs',
      [
        ['a', {}],
        ['a', {}],
      ],
      [0, 0],
    ],
  ])('counts %s', (_what, looks, expected) => {
    expect(total(after(...looks))).toEqual(expected);
  });

  it('adds to the month of the look, by UTC, and tells the newest first', () => {
    const account = after(
      ['a', { 0: [0, 0] }, '2026-01-31T23:00:00Z'],
      ['a', { 0: [10, 1] }, '2026-02-01T00:59:00+01:00'],
      ['a', { 0: [30, 3] }, '2026-02-01T00:01:00Z'],
      ['a', { 0: [70, 7] }, '2026-02-02T00:00:00Z'],
    );
    expect(monthsUntil(account, new Date('2026-02-03T00:00:00Z'))).toEqual([
      { month: '2026-02', inBytes: 60, outBytes: 6 },
      { month: '2026-01', inBytes: 10, outBytes: 1 },
    ]);
  });

  it('has no month without traffic, and keeps the last thirteen with some; the total goes on', () => {
    const looks = Array.from(
      { length: 20 },
      (_, index) => ['a', { 0: [index, index] }, new Date(Date.UTC(2025, index, 2)).toISOString()] as const,
    );
    const account = after(...looks);
    expect(account.months).toHaveLength(KEPT_MONTHS);
    expect(account.months.map(({ month }) => month)).toEqual([...new Set(account.months.map(({ month }) => month))].sort());
    expect(account.months.at(-1)?.month).toBe('2026-08');
    expect(total(account)).toEqual([19, 19]);
  });

  it('tells no month that has not begun, though the clock was ahead once; after that, the months of before are still there', () => {
    const account = after(
      ['a', { 0: [0, 0] }],
      ['a', { 0: [10, 10] }],
      ['a', { 0: [15, 15] }, '2031-05-01T00:00:00Z'],
      ['a', { 0: [17, 17] }, '2026-01-15T12:05:00Z'],
    );
    expect(monthsUntil(account, new Date('2026-01-15T12:06:00Z'))).toEqual([{ month: '2026-01', inBytes: 12, outBytes: 12 }]);
    expect(total(account)).toEqual([17, 17]);
  });

  it('counts to the month that the clock says when that goes back, and nothing twice or below zero', () => {
    const account = after(
      ['a', { 0: [0, 0] }, '2026-03-01T00:30:00Z'],
      ['a', { 0: [10, 10] }, '2026-03-01T00:31:00Z'],
      ['a', { 0: [12, 11] }, '2026-02-28T23:40:00Z'],
    );
    expect(account.months).toEqual([
      { month: '2026-02', inBytes: 2, outBytes: 1 },
      { month: '2026-03', inBytes: 10, outBytes: 10 },
    ]);
  });

  it('may be added to from an older copy: nothing is counted twice', () => {
    const copy = after(['a', { 0: [0, 0] }], ['a', { 0: [10, 10] }]);
    addReading(copy, { domain: 'a', counters: counters({ 0: [25, 25] }), at: new Date(NOON) });
    expect(total(addReading(copy, { domain: 'a', counters: counters({ 0: [30, 30] }), at: new Date(NOON) }))).toEqual([30, 30]);
  });
});

describe('the file of an account', () => {
  const account = after(['a', { 0: [0, 0] }], ['a', { 0: [10, 10] }]);
  const text = Buffer.from(JSON.stringify(account));

  it('is read as it was written', () => {
    expect(readAccount(text, REF)).toEqual(account);
  });

  test.each([
    ['of another order', text, { ...REF, order: 'o2' }],
    ['of another guest', text, { ...REF, name: 'guest2' }],
    ['that is cut off', text.subarray(0, 40), REF],
    ['with a number below zero', Buffer.from(JSON.stringify({ ...account, total: { inBytes: -1, outBytes: 0 } })), REF],
    ['that is not there', undefined, REF],
  ])('is none if it is one %s', (_what, bytes, ref) => {
    expect(readAccount(bytes, ref)).toBeUndefined();
  });
});
