/** What of a fleet operators are told. */
import { describe, expect, it } from 'vitest';
import { problemsOf } from '../../../../../activities/control/watch/problems.ts';
import { mailOf } from '../../../../../activities/control/notify/words.ts';
import { PROBLEM_KINDS, type ProblemKind } from '../../../../../contract/watch.ts';
import type { Fleet } from '../../../../../client/fleet.ts';
import { aGuest, FLEET, NOW, SOUND } from '../../../worker/a-fleet.ts';

const WELL: Fleet = { ...FLEET, guests: [aGuest('guest1')], dom0s: FLEET.dom0s.slice(0, 1) };
const problems = (changes: Partial<Fleet>): ReturnType<typeof problemsOf> => problemsOf({ ...WELL, ...changes }, [], NOW);

describe('a fleet', () => {
  it('that is well has nothing to tell', () => {
    expect(problems({})).toEqual([]);
  });

  it.each<[ProblemKind, Partial<Parameters<typeof aGuest>[1]>]>([
    ['needs-cleanup', { phase: 'needs-cleanup' }],
    ['guest-failed', { phase: 'failed', endedAt: '2026-01-20T11:00:00.000Z' }],
    ['night-failed', { backups: { ...SOUND, night: { due: '2026-01-20T02:00:00.000Z', state: 'failed' } } }],
    ['night-missed', { backups: { ...SOUND, night: { due: '2026-01-18T02:00:00.000Z', state: 'done' } } }],
    ['backup-unusable', { backups: { ...SOUND, unusable: 1 } }],
  ])('has %s', (kind, changes) => {
    expect(problems({ guests: [aGuest('guest1', changes)] })).toEqual([{ kind, dom0: 'xen1', subjects: ['guest1'] }]);
  });

  it('forgets an order that failed after a day', () => {
    expect(problems({ guests: [aGuest('guest1', { phase: 'failed', endedAt: '2026-01-19T11:00:00.000Z' })] })).toEqual([]);
  });

  it('names dom0s that are silent or lost, with how many guests they have, and pools that are nearly full', () => {
    const [xen1] = WELL.dom0s;
    if (xen1 === undefined) throw new Error('no dom0');
    const itself = { dom0: 'xen1', subjects: ['xen1'], note: 'guests on it: 1' };
    expect(problems({ dom0s: [{ ...xen1, isServed: false }] })).toEqual([{ kind: 'dom0-silent', ...itself }]);
    expect(problems({ dom0s: [{ ...xen1, isServed: false, capacity: { ...xen1.capacity, lost: '2026-01-20T00:00:00.000Z' } }] })).toEqual([
      { kind: 'dom0-lost', ...itself },
    ]);
    const pools = [{ name: 'vg01', sellableBytes: 100, freeBytes: 4 }];
    expect(problems({ dom0s: [{ ...xen1, capacity: { ...xen1.capacity, pools } }] })).toEqual([
      { kind: 'pool-nearly-full', dom0: 'xen1', subjects: ['vg01'] },
    ]);
  });

  it('names golden images that could not be renewed', () => {
    const [xen1] = WELL.dom0s;
    if (xen1 === undefined) throw new Error('no dom0');
    const notRenewed = [{ dist: 'bookworm', reason: 'it shows "Kernel panic"', since: '2026-01-20T06:00:00.000Z' }];
    expect(problems({ dom0s: [{ ...xen1, capacity: { ...xen1.capacity, notRenewed } }] })).toEqual([
      { kind: 'golden-not-renewed', dom0: 'xen1', subjects: ['bookworm'] },
    ]);
  });

  it('names thin pools at each level that they have reached, so that each is told once', () => {
    const [xen1] = WELL.dom0s;
    if (xen1 === undefined) throw new Error('no dom0');
    const kindsAt = (filledShare: number): string[] => {
      const pools = [{ name: 'vg01/guests', sellableBytes: 100, freeBytes: 50, filledShare }];
      return problems({ dom0s: [{ ...xen1, capacity: { ...xen1.capacity, pools } }] }).map(
        ({ kind, subjects }) => `${kind} ${subjects.join()}`,
      );
    };
    expect(kindsAt(0.79)).toEqual([]);
    expect(kindsAt(0.8)).toEqual(['thin-pool-80 vg01/guests']);
    expect(kindsAt(0.97)).toEqual(['thin-pool-80 vg01/guests', 'thin-pool-90 vg01/guests', 'thin-pool-95 vg01/guests']);
  });

  it('tells orders of billing that have no room from those that are wrong', () => {
    const orders = [
      { order: 'A-1', hasNoRoom: true },
      { order: 'A-2', hasNoRoom: false },
    ];
    expect(problemsOf(WELL, orders, NOW)).toEqual([
      { kind: 'no-capacity', subjects: ['A-1'] },
      { kind: 'order-problem', subjects: ['A-2'] },
    ]);
  });

  it('of ten thousand guests in trouble names two hundred, and counts the others', () => {
    const guests = Array.from({ length: 10_000 }, (_, index) => aGuest(`guest${String(index)}`, { phase: 'needs-cleanup' }));
    const [group] = problems({ guests });
    expect([group?.subjects.length, group?.more]).toEqual([200, 9_800]);
  });
});

describe('a mail to operators', () => {
  it('says of each kind what it is, whom it is about, and what to type', () => {
    for (const kind of Object.keys(PROBLEM_KINDS) as ProblemKind[]) {
      const { subject, text } = mailOf({ begun: [{ kind, dom0: 'xen1', subjects: ['web1'] }], over: [] });
      expect(subject).toMatch(/^guestflow: \S/);
      expect(text).toMatch(/\n {2}do: (guestflow|systemctl|lvextend|nothing)/);
      expect(`${subject}${text}`).not.toMatch(/NAME|HOST/);
    }
  });

  it('is one of 200 guests, twenty of them by name', () => {
    const subjects = Array.from({ length: 200 }, (_, index) => `guest${String(index)}`);
    const { text } = mailOf({ begun: [{ kind: 'night-failed', dom0: 'xen1', subjects }], over: [] });
    expect(text).toContain('and 180 more');
    expect(text.length).toBeLessThan(1_000);
  });
});
