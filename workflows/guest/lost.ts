/** What becomes of a guest when its dom0 is lost, or found again: pure. */
import type { BackupRecord } from '../../contract/backup.ts';
import type { Dom0Lost, GuestSpec } from '../../contract/guest.ts';
import { operationRecord, type OperationKind } from '../../contract/operations.ts';
import { withFirstBackupDue } from './first-backup.ts';
import { isOver, withFailure, withoutDues } from './life.ts';
import type { GuestState } from './state.ts';

/** The state after it was told. What is meant for guests of another dom0, or for one that is over, changes nothing. */
export function heard(state: GuestState, { dom0, since }: Dom0Lost): GuestState {
  const { lost, phase } = state;
  if (dom0 !== state.dom0 || isOver(state)) return state;
  if (since === undefined) return lost === undefined ? state : { ...state, lost: { ...lost, isFound: true } };
  if (lost === undefined) return { ...state, lost: { since, from: phase } };
  const { isFound: _no, ...former } = lost;
  return { ...state, lost: former };
}

/** Whether what it was told is still to be heeded. */
export function isNews({ lost, phase }: GuestState): boolean {
  return lost !== undefined && (lost.isFound === true || phase !== 'lost');
}

/**
 * Its dom0 is lost. An order that was not carried out has failed, so that its name is free. One that was gone has lost the backups that were kept of it, and is
 * over.
 *
 * @param operation workflow id of what ran on it last
 */
export function lostFor(state: GuestState, operation: string | undefined): GuestState {
  const { lost, phase, dom0, spec } = state;
  if (lost === undefined) return state;
  if (phase === 'gone') {
    const { backupsUntil: _lost, lost: _no, ...rest } = state;
    return rest;
  }
  const message = `dom0 ${dom0} was declared lost at ${lost.since}`;
  if (spec === undefined) return { ...withFailure(state, { type: 'Unreachable', message, operation, leftovers: [] }), phase: 'failed' };
  return { ...state, phase: 'lost', lost: { ...lost, from: phase } };
}

/** Its dom0 is there again: it is what it was. */
export function foundAgain({ lost, ...state }: GuestState): GuestState {
  return lost === undefined || state.phase !== 'lost' ? state : { ...state, phase: lost.from };
}

/** While it is being restored on another dom0, what is made there is its own. @param to undefined: it is not any more */
export function restoredOn(state: GuestState, to: string | undefined): GuestState {
  if (state.lost === undefined) return state;
  const { to: _former, ...lost } = state.lost;
  return { ...state, lost: to === undefined ? lost : { ...lost, to } };
}

/** The dom0 on which what is there of the guest is its own: the one where it lives, or is being restored. */
export function dom0Of({ lost, dom0 }: Pick<GuestState, 'lost' | 'dom0'>): string {
  return lost?.to ?? dom0;
}

/** What came of a restore on another dom0. */
export interface RestoredElsewhere {
  readonly spec: GuestSpec;
  readonly backup: BackupRecord;
  readonly scheduleId: string;
  readonly warnings: readonly string[];
}

/** It lives on another dom0 now. Backups, disks of before and a rescue system were the lost dom0's: it has none. */
export function livingElsewhere(state: GuestState, { spec, scheduleId, warnings }: RestoredElsewhere, nowMs: number): GuestState {
  const { lost: _over, kept: _lost, rescue: _gone, retiredFrom: _then, ...rest } = withoutDues(state);
  return withFirstBackupDue({ ...rest, dom0: spec.dom0, spec, scheduleId, warnings, backups: [] }, nowMs);
}

/** Why a guest is not restored on another dom0; undefined if its own is lost, or it is another operation. */
export function whyNotElsewhere(kind: OperationKind, { name, phase, lost, dom0 }: GuestState): string | undefined {
  if (kind !== 'restoreElsewhere') return undefined;
  if (phase === 'lost' && lost?.from === 'terminating')
    return `it was being terminated when its dom0 ${dom0} was lost; "guestflow restore ${name} --as NEW" makes another guest of its backup`;
  if (phase === 'lost' && lost?.isFound !== true) return undefined;
  return `its dom0 ${dom0} is not lost. If it is, for good, "guestflow dom0 lost ${dom0}" says so; "guestflow restore ${name} --as NEW" makes another guest of its backup`;
}

/** Why an operation on a guest of a dom0 that is lost is refused; undefined if it is not lost, or that one can be done. */
export function whyLost(kind: OperationKind, { lost, dom0 }: GuestState): string | undefined {
  if (lost === undefined || operationRecord(kind).phases.includes('lost')) return undefined;
  return `its dom0 ${dom0} was declared lost at ${lost.since}`;
}
