/** When a guest's backups are proven, and what is remembered of that: pure. */
import { defined } from '../../contract/defined.ts';
import type { BackupRecord, Proof } from '../../contract/backup.ts';
import { DAY_MS } from './operations/shared.ts';
import { withWarning, type GuestState } from './state.ts';

const HOUR_MS = 3_600_000;

/** What a failure of a proof says of the backup. Any other says nothing of it. */
export const OUTCOMES: Readonly<Partial<Record<string, Proof['outcome']>>> = { BackupUnusable: 'unusable', GuestDidNotAnswer: 'silent' };

/** A proof that was due, and could not be tried. */
export interface LeftForLater {
  /** Why. */
  readonly leftForLater: string;
  /** For so many hours. */
  readonly hours: number;
}

/**
 * What keeps a proof that is due by itself from being tried, and for how many hours it is left: a dom0 without room for an hour; what only a person mends
 * (no verified backup, one by dump, no log of consoles) for a day. Of these the guest has no error: it is as well as before.
 */
export const LEFT_FOR_LATER: Readonly<Partial<Record<string, number>>> = {
  NoCapacity: 1,
  InvalidInput: 24,
  NotFound: 24,
  HostNotReady: 24,
};

/**
 * When the first proof is due: a day after the order, at any time of the day after that, so that guests that were ordered together are not proven together.
 *
 * @param part 0 to 1
 */
export function firstProof(proveDays: number, nowMs: number, part: number): Pick<GuestState, 'proveAt'> {
  return proveDays === 0 ? {} : { proveAt: at(nowMs + DAY_MS * (1 + part)) };
}

/** After a proof that succeeded, or was left for later. */
export function afterProof(
  state: GuestState,
  proven: { readonly backup: BackupRecord } | LeftForLater,
  proveDays: number,
  nowMs: number,
): GuestState {
  if ('leftForLater' in proven) return withNext(state, proveDays, nowMs + proven.hours * HOUR_MS);
  return withNext(withBackup(state, proven.backup), proveDays, nowMs + proveDays * DAY_MS);
}

/** How a proof failed, and of which backup. */
interface FailedProof {
  readonly type: string;
  readonly message: string;
  readonly backup: string | undefined;
}

/** After a proof that failed. It is tried again the next day. */
export function afterFailedProof(
  state: GuestState,
  { type, message, backup: id }: FailedProof,
  proveDays: number,
  nowMs: number,
): GuestState {
  const next = withNext(state, proveDays, nowMs + Math.min(proveDays, 1) * DAY_MS);
  const backup = state.backups.find((each) => each.id === id);
  const outcome = OUTCOMES[type];
  if (backup === undefined || outcome === undefined) return next;
  const [what = ''] = message.split('\n', 1);
  const proof: Proof = { at: at(nowMs), seconds: 0, outcome, what };
  const failed: BackupRecord = { ...backup, ...(outcome === 'unusable' ? { state: outcome } : {}), proof };
  return withWarning(withBackup(next, failed), what);
}

function withBackup(state: GuestState, backup: BackupRecord): GuestState {
  return { ...state, backups: state.backups.map((each) => (each.id === backup.id ? backup : each)) };
}

function withNext({ proveAt: _done, ...state }: GuestState, proveDays: number, ms: number): GuestState {
  return { ...state, ...defined({ proveAt: proveDays === 0 ? undefined : at(ms) }) };
}

function at(ms: number): string {
  return new Date(ms).toISOString();
}
