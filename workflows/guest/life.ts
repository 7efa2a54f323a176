/** How a guest's state goes on: pure, so that it can be tested as a table. */
import { defined } from '../../contract/defined.ts';
import type { DomainGone, GuestPhase, KeptDisk, RestartPolicy } from '../../contract/guest.ts';
import type { Adopted } from './recipes/adopt.ts';
import type { ProvisionResult } from './recipes/provision.ts';
import { withFirstBackupDue } from './first-backup.ts';
import { answerTo, recentRestarts } from './restarts.ts';
import { firstBackupDue, firstOf, proofDue, spareDue, withWarning, type GuestState } from './state.ts';

/** What failed: type and message of the failure, the workflow that it was in, and what the dom0 says is left. */
export interface Failed {
  readonly type: string;
  readonly message: string;
  readonly operation: string | undefined;
  readonly leftovers: readonly string[] | undefined;
}

/** After its order was carried out. */
export function provisioned(state: GuestState, { spec, wallclock, scheduleId, warnings, golden }: ProvisionResult): GuestState {
  return { ...state, spec, wallclock, scheduleId, warnings, ...defined({ golden }) };
}

/** A disk of before a restore that was found is kept so long from then on: when the restore was, nobody knows any more. */
const FOUND_KEPT_MS = 7 * 24 * 60 * 60 * 1000;

/** After it was found on its dom0 and taken over. */
export function adopted(state: GuestState, found: Adopted, nowMs: number): GuestState {
  const { spec, backups, formerBytes, rescueBytes, warnings, scheduleId } = found;
  const rescue = rescueBytes === undefined ? undefined : { since: new Date(nowMs).toISOString(), diskBytes: rescueBytes };
  const keptUntil = new Date(nowMs + FOUND_KEPT_MS).toISOString();
  const kept: KeptDisk | undefined =
    formerBytes === undefined ? undefined : { role: 'former', backup: '', takenAt: keptUntil, diskBytes: formerBytes, keptUntil };
  return { ...state, spec, backups, scheduleId, warnings, ...defined({ kept, rescue }) };
}

/** After an operation that succeeded: drops what was due in the former phase. */
export function withoutDues({ graceUntil: _over, restartAt: _done, leavesStopped: _left, ...rest }: GuestState): GuestState {
  return rest;
}

/** After a failure: keeps what failed. */
export function withFailure(state: GuestState, { type, message, operation, leftovers = state.leftovers }: Failed): GuestState {
  return { ...state, error: { type, message, ...defined({ operation }) }, leftovers };
}

/**
 * The phase after a failure; undefined: unchanged. If a guest was being made or removed and something is left on the dom0, it needs cleaning up. A guest
 * that lives on keeps its phase, since cleaning up would remove its data; the operation can be asked for again.
 */
export function phaseAfterFailure({ phase, spec }: GuestState, type: string, isRemoving: boolean): GuestPhase | undefined {
  if (type === 'NeedsCleanup' && (spec === undefined || isRemoving)) return 'needs-cleanup';
  return phase === 'provisioning' ? 'failed' : undefined;
}

/** After the domain has ended without being asked to: the guest will be started again after a pause, or is left stopped. */
export function afterDomainGone(
  state: GuestState,
  policy: RestartPolicy,
  end: Omit<DomainGone, 'order' | 'dom0'>,
  nowMs: number,
): GuestState {
  if (state.phase !== 'running' || state.restartAt !== undefined) return state;
  const restarts = recentRestarts(state.restarts ?? [], nowMs);
  const answer = answerTo(policy, end, restarts, nowMs);
  if ('startAt' in answer) return { ...state, restarts, restartAt: answer.startAt };
  if ('counted' in answer) return { ...state, restarts: [...restarts, answer.counted] };
  return leftStopped(state, answer.leave, nowMs);
}

/** Leaves the guest stopped, by a stop operation: Xen may have started it again, and xendomains would start it at the next boot of its dom0. */
function leftStopped(state: GuestState, reason: string, nowMs: number): GuestState {
  return {
    ...withWarning(state, reason),
    leavesStopped: true,
    restartAt: new Date(nowMs).toISOString(),
  };
}

/** An operation that the guest begins by itself, with the time at which it became due, and the state without it. */
export interface Due {
  readonly kind: 'start' | 'stop' | 'keepRestored' | 'prove' | 'backup';
  readonly at: string;
  readonly then: GuestState;
}

/** The removal of a spare disk, or a proof, is tried again after this. */
const AGAIN_MS = 60 * 60 * 1000;

/** What is due now; undefined if the end of a grace period is. */
export function dueNow(state: GuestState, nowMs: number): Due | undefined {
  const { restartAt: at, phase, restarts = [] } = state;
  if (phase !== 'running' || at === undefined) return dueAtRest(state, nowMs);
  const { restartAt: _due, leavesStopped, ...rest } = state;
  return leavesStopped === true ? { kind: 'stop', at, then: rest } : { kind: 'start', at, then: { ...rest, restarts: [...restarts, at] } };
}

/** The first thing that is due of a guest that is as it should be. If it fails, it is due again later; if it succeeds, it has its own next time, or none. */
function dueAtRest(state: GuestState, nowMs: number): Due | undefined {
  const kept = spareDue(state);
  const [backupAt, proveAt] = [firstBackupDue(state), proofDue(state)];
  const later = new Date(nowMs + AGAIN_MS).toISOString();
  const first = firstOf(backupAt, proveAt, kept?.keptUntil);
  if (first === undefined) return undefined;
  if (first === backupAt) return { kind: 'backup', at: first, then: withFirstBackupDue(state, nowMs) };
  if (first === proveAt) return { kind: 'prove', at: first, then: { ...state, proveAt: later } };
  return kept && { kind: 'keepRestored', at: first, then: { ...state, kept: { ...kept, keptUntil: later } } };
}

/** Whether there is nothing left to do: the guest is gone. */
export function isOver({ phase, backupsUntil }: GuestState): boolean {
  return (phase === 'gone' && backupsUntil === undefined) || phase === 'failed';
}
