/** How a guest's backups are, in a memo of its workflow: whoever lists guests sees it without asking each. Plain types: workflow code imports them. */
import type { NightState } from './nights.ts';

/** Key of `BackupHealth` in the memo of a guest's workflow. Guests that began before it was there have it from their next night on. */
export const BACKUPS_MEMO = 'backups';

/** Times are ISO 8601. */
export interface BackupHealth {
  /** When the guest was ordered: what has never happened is overdue from then on. */
  readonly since: string;
  /** When its last good backup was taken. */
  readonly lastAt?: string;
  /** When the last backup was taken from which it was proven that the guest can be restored. */
  readonly provenAt?: string;
  /** Days between two proofs; 0: none is done by itself. */
  readonly proveDays: number;
  /** Backups that turned out to be unusable, and that no proven one has followed. */
  readonly unusable: number;
  /** It has a Schedule. */
  readonly isNightly: boolean;
  /** The last night of which it was told. */
  readonly night?: { readonly due: string; readonly state: NightState };
}
