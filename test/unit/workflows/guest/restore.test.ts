/** Which backup a restore takes, and what is due of the disk of before. */
import { describe, expect, it } from 'vitest';
import type { BackupRecord } from '../../../../contract/backup.ts';
import type { GuestPhase } from '../../../../contract/guest.ts';
import { dueNow } from '../../../../workflows/guest/life.ts';
import { chosenBackup } from '../../../../workflows/guest/operations/restore.ts';
import { untilDueMs, type GuestState } from '../../../../workflows/guest/state.ts';

const DAYS = ['20260101T020000Z', '20260102T020000Z', '20260103T020000Z'];
const BACKUPS = DAYS.map((id, day) => ({ id, takenAt: `2026-01-0${String(day + 1)}T02:00:00.000Z`, state: 'verified' }) as BackupRecord);

describe('a restore', () => {
  it.each([
    ['the last one, if nothing is said', {}, DAYS[2]],
    ['the one of that id', { backup: DAYS[0] ?? '' }, DAYS[0]],
    ['the last one of that time or before', { at: '2026-01-03T01:59:59.999Z' }, DAYS[1]],
    ['one of that very second', { at: '2026-01-02T02:00:00.000Z' }, DAYS[1]],
  ])('takes %s', (_, wanted, id) => {
    expect(chosenBackup(BACKUPS, wanted).id).toBe(id);
  });

  it('never takes one that was not read back', () => {
    const [first, second] = BACKUPS as [BackupRecord, BackupRecord];
    expect(chosenBackup([first, { ...second, state: 'taken' }], {}).id).toBe(DAYS[0]);
    expect(() => chosenBackup([first, { ...second, state: 'taken' }], { backup: second.id })).toThrow(/no verified backup 20260102/);
  });

  it.each([
    ['there is none', [], {}, /no verified backup: there is none/],
    [
      'there is none of that id',
      BACKUPS,
      { backup: '20250101T000000Z' },
      /no verified backup 20250101T000000Z: the first of 3 is 20260101/,
    ],
    ['all are later', BACKUPS, { at: '2025-12-31T00:00:00.000Z' }, /of 2025-12-31T00:00:00.000Z or before: the first of 3 is/],
  ])('says so if %s', (_, backups, wanted, words) => {
    expect(() => chosenBackup(backups, wanted)).toThrow(words);
  });
});

describe('the disk of before', () => {
  const NOW = Date.parse('2026-01-10T00:00:00Z');
  const kept = {
    role: 'former',
    backup: DAYS[0] ?? '',
    takenAt: '2026-01-01T02:00:00.000Z',
    diskBytes: 1,
    keptUntil: '2026-01-11T00:00:00.000Z',
  } as const;
  const state = (phase: GuestPhase, more: Partial<GuestState> = {}): GuestState => ({ phase, kept, ...more }) as GuestState;

  it.each(['running', 'stopped', 'suspended'] as const)('of a guest that is %s goes at the end of its time', (phase) => {
    expect(untilDueMs(state(phase), NOW)).toBe(86_400_000);
    expect(dueNow(state(phase), NOW)).toMatchObject({ kind: 'keepRestored', at: kept.keptUntil });
  });

  it('is tried to remove again an hour later, if that fails', () => {
    expect(dueNow(state('running'), NOW)?.then.kept?.keptUntil).toBe('2026-01-10T01:00:00.000Z');
  });

  it('does not keep a guest from being started again after its domain has ended', () => {
    const ended = state('running', { restartAt: '2026-01-10T00:00:05.000Z' });
    expect(untilDueMs(ended, NOW)).toBe(5_000);
    expect(dueNow(ended, NOW)).toMatchObject({ kind: 'start', then: { kept } });
  });

  it('of a guest that is terminated goes with the guest, at the end of its grace period', () => {
    const terminated = state('terminating', { graceUntil: '2026-01-20T00:00:00.000Z' });
    expect(untilDueMs(terminated, NOW)).toBe(10 * 86_400_000);
    expect(dueNow(terminated, NOW)).toBeUndefined();
  });
});
