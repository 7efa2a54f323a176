/** The nights of a guest: what its Schedule asks for, and what came of it. Free of imports, so that workflow code can use it. */

/** What came of a night. */
export type NightState =
  /** Its backup waits, or is being taken. */
  | 'waiting'
  | 'done'
  | 'failed'
  /** The guest could not be backed up as it was: it was on its way out, say, or had too much to do. */
  | 'skipped'
  /** The backup of a night before was still waiting, or being taken. */
  | 'overlapped';

/** A night in a guest's state. Times are ISO 8601. */
export interface NightRecord {
  /** When the Schedule had it begin. Tells nights apart. */
  readonly due: string;
  readonly state: NightState;
  /** When the guest was asked. */
  readonly askedAt: string;
  readonly endedAt?: string;
  /** `done`: id of the backup, and the time of its snapshot. */
  readonly backup?: string;
  readonly takenAt?: string;
  /** Not `done`: why. */
  readonly reason?: string;
  /** `failed`: type of the failure. */
  readonly error?: string;
}

/** `nightlyBackup` asks the guest. The same night asked again is the same backup. */
export interface NightRequest {
  readonly due: string;
  /** Of which guest, if the name has had several. */
  readonly order: string;
  /** Workflow that is told what came of it. */
  readonly answerTo: string;
}

/**
 * Temporal's priority of backups: whoever orders goes before (3 is the default, 5 comes last), on the control queue and in a dom0's bulk slot.
 */
export const BACKUP_PRIORITY = { priorityKey: 5 } as const;

/** Nights that a guest remembers. */
export const NIGHTS_KEPT = 30;
