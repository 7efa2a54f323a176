import { expect, test } from 'vitest';
import { changed, type Changes } from '../../an-order.ts';
import { isSameOrder } from '../../../contract/same-order.ts';
import type { GuestOrder } from '../../../contract/guest.ts';
import { order } from '../../workflow/scripted.ts';

const given = order({ name: 'alpha', order: 'A-1', network: { ip: '192.0.2.10' } });

test('the same order, its keys in whatever order and its address left open, is the same', () => {
  const turned = Object.fromEntries(Object.entries(given).reverse()) as unknown as GuestOrder;
  const sealed = (box: string): GuestOrder => changed(given, { access: { sealedPassword: { a: box } } });
  expect(isSameOrder(given, turned)).toBe(true);
  expect(isSameOrder(given, { ...given, network: {} })).toBe(true);
  expect(isSameOrder(given, sealed('box'))).toBe(false);
  expect(isSameOrder(sealed('box'), sealed('another box'))).toBe(true);
});

test.each<Changes<GuestOrder>>([
  { access: { sshKeys: ['ssh-ed25519 AAAA another'] } },
  { size: { swapBytes: 2 ** 30 } },
  { os: { dist: 'bullseye' } },
  { os: { type: 'pvh' } },
  { network: { mac: '00:16:3E:00:00:02' } },
  { os: { extra: ['quiet'] } },
  { backup: { retention: { daily: 1 } } },
  { hostname: 'shop' },
  { access: { managed: true } },
  { life: { graceDays: 0 } },
  { network: { ip: '192.0.2.11' } },
])('an order that asks for something else (%o) is another one', (change) => {
  expect(isSameOrder(given, changed(given, change))).toBe(false);
});
