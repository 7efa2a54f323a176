import { expect, test } from 'vitest';
import { isSameOrder } from '../../../contract/same-order.ts';
import type { GuestOrder } from '../../../contract/types.ts';
import { order } from '../../workflow/scripted.ts';

const given = order({ name: 'alpha', order: 'A-1', ip: '192.0.2.10' });

test('the same order, its keys in whatever order and its address left open, is the same', () => {
  const turned = Object.fromEntries(Object.entries(given).reverse()) as unknown as GuestOrder;
  const { ip: _open, ...open } = given;
  expect(isSameOrder(given, turned)).toBe(true);
  expect(isSameOrder(given, open)).toBe(true);
  expect(isSameOrder(given, { ...given, sealedPassword: { a: 'box' } })).toBe(false);
  expect(isSameOrder({ ...given, sealedPassword: { a: 'box' } }, { ...given, sealedPassword: { a: 'another box' } })).toBe(true);
});

test.each<Partial<GuestOrder>>([
  { sshKeys: ['ssh-ed25519 AAAA another'] },
  { swapBytes: 2 ** 30 },
  { dist: 'bullseye' },
  { type: 'pvh' },
  { mac: '00:16:3E:00:00:02' },
  { extra: ['quiet'] },
  { retention: { daily: 1 } },
  { hostname: 'shop' },
  { managed: true },
  { graceDays: 0 },
  { ip: '192.0.2.11' },
])('an order that asks for something else (%o) is another one', (change) => {
  expect(isSameOrder(given, { ...given, ...change })).toBe(false);
});
