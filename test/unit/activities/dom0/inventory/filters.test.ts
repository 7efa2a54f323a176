/** One list of things, and what the audit, a new order, a removal and the ledger see in it. */
import { describe, expect, it } from 'vitest';
import { holdings } from '../../../../../activities/dom0/inventory/holdings.ts';
import { inTheWayOf, leftOf } from '../../../../../activities/dom0/inventory/inventory.ts';
import type { Thing, ThingKind } from '../../../../../activities/dom0/inventory/thing.ts';
import { marked } from '../../../../../activities/dom0/steps/audit.ts';
import { UNKNOWN_ORDER } from '../../../../../contract/dom0.ts';

const OURS = { guest: 'web1', order: 'o1' };
const BEFORE = { guest: 'web1', order: 'o0' };
const UNKNOWN = { guest: 'web1', order: UNKNOWN_ORDER };
const OTHER = { guest: 'web2', order: 'o2' };

type Row = readonly [what: string, thing: Omit<Thing, 'where'>, seen: { audit: boolean; inTheWay: boolean; left: boolean }];

const row = (kind: ThingKind, more: Omit<Thing, 'where' | 'kind'>): Omit<Thing, 'where'> => ({ kind, ...more });

/** What each sees of a thing, when it is about the guest web1 of order o1. */
const ROWS: readonly Row[] = [
  ['our cfg', row('cfg', { owner: OURS, placeOf: 'web1' }), { audit: true, inTheWay: true, left: true }],
  ['a cfg by hand of our name', row('cfg', { owner: undefined, placeOf: 'web1' }), { audit: false, inTheWay: true, left: false }],
  ['our cfg, copied to another name', row('cfg', { owner: OURS, placeOf: 'copy' }), { audit: true, inTheWay: false, left: true }],
  ['half a cfg', row('cfg', { owner: UNKNOWN, isHalf: true }), { audit: true, inTheWay: false, left: true }],
  ['half a cfg of an earlier order', row('cfg', { owner: BEFORE, isHalf: true }), { audit: true, inTheWay: false, left: false }],
  ['our domain', row('domain', { owner: OURS, placeOf: 'web1' }), { audit: true, inTheWay: true, left: true }],
  [
    'a domain of our name without a cfg',
    row('domain', { owner: undefined, placeOf: 'web1' }),
    { audit: false, inTheWay: true, left: true },
  ],
  ['somebody’s domain', row('domain', { owner: undefined, placeOf: 'mail' }), { audit: false, inTheWay: false, left: false }],
  ['our link', row('autostart', { owner: OURS, placeOf: 'web1' }), { audit: true, inTheWay: true, left: true }],
  ['somebody’s link in our place', row('autostart', { owner: undefined, placeOf: 'web1' }), { audit: false, inTheWay: true, left: false }],
  ['our disk', row('disk', { owner: OURS, placeOf: 'web1' }), { audit: true, inTheWay: true, left: true }],
  ['our disk under another name', row('disk', { owner: OURS }), { audit: true, inTheWay: false, left: true }],
  ['a disk of an earlier order, on its way out', row('disk', { owner: BEFORE }), { audit: true, inTheWay: false, left: false }],
  ['a disk by hand in our place', row('disk', { owner: undefined, placeOf: 'web1' }), { audit: false, inTheWay: true, left: false }],
  ['another guest’s disk', row('disk', { owner: OTHER, placeOf: 'web2' }), { audit: true, inTheWay: false, left: false }],
  ['an image of an earlier order', row('image', { owner: BEFORE, placeOf: 'web1' }), { audit: true, inTheWay: true, left: false }],
  ['half an image', row('image', { owner: UNKNOWN, isHalf: true }), { audit: true, inTheWay: false, left: true }],
  ['a loop device on our image', row('user', { owner: OURS }), { audit: true, inTheWay: false, left: false }],
  ['our backups', row('backups', { owner: OURS, placeOf: 'web1' }), { audit: true, inTheWay: true, left: true }],
  ['our saved memory', row('saved memory', { owner: OURS, placeOf: 'web1' }), { audit: true, inTheWay: true, left: true }],
];

describe('one list of things', () => {
  it.each(ROWS)('%s is seen by whom it concerns', (where, thing, seen) => {
    const all: Thing[] = [{ where, ...thing }];
    expect({
      audit: marked(all).length === 1,
      inTheWay: inTheWayOf('web1', all).length === 1,
      left: leftOf({ name: OURS.guest, order: OURS.order }, all).length === 1,
    }).toEqual(seen);
  });

  it('what only its place tells belongs to the one order of that guest that has marks here', () => {
    const half: Thing = { kind: 'image', where: 'half', owner: UNKNOWN, isHalf: true };
    const whole: Thing = { kind: 'cfg', where: 'cfg', owner: OURS, placeOf: 'web1' };
    const older: Thing = { kind: 'disk', where: 'disk', owner: BEFORE };
    expect(marked([half, whole])[0]).toEqual({ what: 'half', ...OURS });
    expect(marked([half, whole, older])[0]).toEqual({ what: 'half', ...UNKNOWN });
  });

  it('what takes something is counted once for each of our guests, and piece by piece where nobody of ours has it', () => {
    const takes = { memoryBytes: 1, vcpus: 2, diskBytes: 3 };
    const things: Thing[] = [
      { kind: 'domain', where: 'domain web1', owner: OURS, takes: { ...takes, overheadBytes: 5 } },
      { kind: 'disk', where: 'volume vg01/web1-root', owner: OURS, takes },
      { kind: 'cfg', where: '/etc/xen/web1.cfg', owner: OURS },
      { kind: 'disk', where: 'volume vg01/home', owner: undefined, takes },
    ];
    expect(holdings(things)).toEqual([
      { what: 'guest web1', ...OURS, memoryBytes: 2, overheadBytes: 5, vcpus: 4, diskBytes: 6 },
      { what: 'volume vg01/home', ...takes },
    ]);
  });
});
