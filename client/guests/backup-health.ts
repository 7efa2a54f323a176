/** What of a guest's backups a person must know: from what the guest publishes, without asking it. Pure. */
import type { BackupHealth } from '../../contract/backup-health.ts';

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;

/** A guest is told of its night at that time; two hours later, it was not. A guest that was ordered may take as long until it is made. */
const LATE_MS = 2 * HOUR_MS;
/** A backup each night, and one night that may fail without the next one being waited for. */
export const BACKUP_LIMIT_MS = 2 * DAY_MS + LATE_MS;
/** A proof that fails is tried again the next day. The first one is due two days after the order at the latest. */
const PROOF_GRACE_MS = 3 * DAY_MS;

/** What is wrong with the backups of a guest. */
export interface BackupTrouble {
  /** Nights since the last of which it was told. */
  readonly missed: number;
  /** The last night failed. */
  readonly hasFailed: boolean;
  /** Its last good backup is older than two days (and two hours). */
  readonly isOverdue: boolean;
  /** The last backup from which it is proven that it can be restored is older than the days between two proofs, and three. */
  readonly isProofOverdue: boolean;
  /** Backups that turned out to be unusable, and that no proven one has followed. */
  readonly unusable: number;
}

export function troubleOf({ since, lastAt, provenAt, proveDays, unusable, isNightly, night }: BackupHealth, nowMs: number): BackupTrouble {
  const age = (at: string | undefined): number => nowMs - Date.parse(at ?? since);
  const sinceNight = nowMs - Math.max(Date.parse(since), night === undefined ? 0 : Date.parse(night.due));
  return {
    missed: isNightly ? Math.max(0, Math.floor((sinceNight - LATE_MS) / DAY_MS)) : 0,
    hasFailed: night?.state === 'failed',
    isOverdue: isNightly && age(lastAt) > BACKUP_LIMIT_MS,
    isProofOverdue: proveDays > 0 && age(provenAt) > proveDays * DAY_MS + PROOF_GRACE_MS,
    unusable,
  };
}

/** Phases in which a guest is backed up each night. */
const BACKED_UP: ReadonlySet<string> = new Set(['running', 'stopped', 'suspended']);

export function isBackedUp(phase: string): boolean {
  return BACKED_UP.has(phase);
}
