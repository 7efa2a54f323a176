/** When proofs are due, and what a guest remembers of them. */
import { describe, expect, it } from 'vitest';
import type { BackupRecord } from '../../../../contract/backup.ts';
import type { GuestPhase } from '../../../../contract/guest.ts';
import { dueNow } from '../../../../workflows/guest/life.ts';
import { afterFailedProof, afterProof, firstProof } from '../../../../workflows/guest/proofs.ts';
import { untilDueMs, type GuestState } from '../../../../workflows/guest/state.ts';

const HOUR = 3_600_000;
const NOW = Date.parse('2026-01-10T00:00:00Z');
const IN = (hours: number): string => new Date(NOW + hours * HOUR).toISOString();
const [FIRST, SECOND] = ['20260101T020000Z', '20260102T020000Z'].map((id) => ({ id, state: 'verified' }) as BackupRecord);
const state = (more: Partial<GuestState> = {}, phase: GuestPhase = 'running'): GuestState =>
  ({ phase, warnings: [], backups: [FIRST, SECOND], ...more }) as GuestState;

describe('a proof', () => {
  it('is due for the first time on the day after the day of the order, at a time of its own', () => {
    expect([0, 0.5].map((part) => firstProof(30, NOW, part).proveAt)).toEqual([IN(24), IN(36)]);
  });

  it('is never due by itself where the order says 0 days', () => {
    expect(firstProof(0, NOW, 0.5)).toEqual({});
    expect(afterProof(state(), { backup: SECOND! }, 0, NOW).proveAt).toBeUndefined();
    expect(afterFailedProof(state(), { type: 'ToolFailed', message: '', backup: undefined }, 0, NOW).proveAt).toBeUndefined();
  });

  it.each(['running', 'stopped', 'suspended'] as const)('is begun at its time by a guest that is %s', (phase) => {
    const due = state({ proveAt: IN(2) }, phase);
    expect(untilDueMs(due, NOW)).toBe(2 * HOUR);
    expect(dueNow(due, NOW)).toMatchObject({ kind: 'prove', at: IN(2), then: { proveAt: IN(1) } });
  });

  it('is not begun by a guest on its way out', () => {
    const leaving = state({ proveAt: IN(2), graceUntil: IN(50) }, 'terminating');
    expect(untilDueMs(leaving, NOW)).toBe(50 * HOUR);
    expect(dueNow(leaving, NOW)).toBeUndefined();
  });

  it.each([
    [1, 2, 'keepRestored'],
    [2, 1, 'prove'],
  ])('takes its turn with the end of a spare disk: in %i and %i hours, %s comes first', (spare, proof, kind) => {
    const kept = { role: 'former', backup: '', takenAt: '', diskBytes: 1, keptUntil: IN(spare) } as const;
    const both = state({ kept, proveAt: IN(proof) });
    expect(untilDueMs(both, NOW)).toBe(HOUR);
    expect(dueNow(both, NOW)?.kind).toBe(kind);
  });

  it('lets a domain that has ended be started first', () => {
    expect(dueNow(state({ proveAt: IN(0), restartAt: IN(0) }), NOW)?.kind).toBe('start');
  });

  it('that succeeded is remembered with its backup, and comes again after the days of the order', () => {
    const proven = { ...SECOND!, state: 'proven' } as const;
    expect(afterProof(state(), { backup: proven }, 30, NOW)).toMatchObject({ backups: [FIRST, proven], proveAt: IN(30 * 24) });
  });

  it.each([1, 24])('that was left for later comes %i hours later, and says nothing of a backup', (hours) => {
    expect(afterProof(state(), { leftForLater: 'busy', hours }, 30, NOW)).toMatchObject({ backups: [FIRST, SECOND], proveAt: IN(hours) });
  });

  it.each([
    ['BackupUnusable', 'unusable', 'unusable'],
    ['GuestDidNotAnswer', 'verified', 'silent'],
  ])('that ended with %s leaves the backup %s, warns by its first line, and comes again the next day', (type, is, outcome) => {
    const after = afterFailedProof(state(), { type, message: 'what it was\nits console', backup: SECOND!.id }, 30, NOW);
    expect(after.backups.at(-1)).toMatchObject({ state: is, proof: { outcome, what: 'what it was' } });
    expect([after.backups[0], after.warnings, after.proveAt]).toEqual([FIRST, ['what it was'], IN(24)]);
  });

  it('that could not be tried says nothing of the backup', () => {
    const after = afterFailedProof(state(), { type: 'ToolFailed', message: 'lvcreate', backup: SECOND!.id }, 30, NOW);
    expect([after.backups, after.warnings]).toEqual([[FIRST, SECOND], []]);
  });
});
