import { describe, expect, it } from 'vitest';
import { afterFailedBackup, makesWay, withFirstBackupDue, withoutFirstBackupDue } from '../../../../workflows/guest/first-backup.ts';
import { dueNow } from '../../../../workflows/guest/life.ts';
import { untilDueMs, type GuestState } from '../../../../workflows/guest/state.ts';

const HOUR = 3_600_000;
const ORDERED = Date.parse('2026-01-10T00:00:00.000Z');
const after = (hours: number): string => new Date(ORDERED + hours * HOUR).toISOString();

const guest = (more: Partial<GuestState> = {}): GuestState => ({
  name: 'web1',
  order: 'o1',
  dom0: 'xen1',
  plan: 'small',
  phase: 'running',
  orderedAt: after(0),
  warnings: [],
  backups: [],
  leftovers: [],
  ...more,
});

describe('the first backup', () => {
  it.each([
    ['an hour after the order', 0.1, 1.1],
    ['as long after the next attempt as the guest is old', 5, 10],
    ['a day after that at most', 100, 124],
  ])('is tried again %s', (_when, now, next) => {
    expect(withFirstBackupDue(guest(), ORDERED + now * HOUR).firstBackupAt).toBe(after(next));
  });

  it('is due by itself, with a later time should it fail', () => {
    const state = guest({ firstBackupAt: after(2) });
    expect(untilDueMs(state, ORDERED)).toBe(2 * HOUR);
    expect(dueNow(state, ORDERED + 2 * HOUR)).toMatchObject({ kind: 'backup', at: after(2), then: { firstBackupAt: after(4) } });
  });

  it.each(['terminating', 'gone', 'lost', 'needs-cleanup'] as const)('is not due of a guest that is %s', (phase) => {
    expect(untilDueMs(guest({ phase, firstBackupAt: after(2) }), ORDERED)).toBeUndefined();
  });

  it('is not the matter of a guest that has a backup', () => {
    const state = withoutFirstBackupDue(guest({ firstBackupAt: after(2) }));
    expect(untilDueMs(state, ORDERED)).toBeUndefined();
    expect(afterFailedBackup(state, 'no room')).toBe(state);
  });

  it('says why there is none, and when the next attempt is', () => {
    expect(afterFailedBackup(guest({ firstBackupAt: after(2) }), 'no room\nin detail').warnings).toEqual([
      `it has no backup yet: no room; the next attempt is at ${after(2)}`,
    ]);
  });

  it.each([
    ['a stop', 'stop', 'guest/web1/backup/first', true],
    ['a stop, at a later attempt', 'stop', `guest/web1/backup/first-${after(2)}`, true],
    ['another backup, which waits', 'backup', 'guest/web1/backup/first', false],
    ['nothing, if it is a night', 'stop', 'guest/web1/backup/nightly-20260110T020000Z', false],
  ] as const)('makes way for %s', (_what, kind, workflowId, isSo) => {
    expect(makesWay(guest({ firstBackupAt: after(2) }), { workflowId }, kind)).toBe(isSo);
  });
});
