/** What becomes of a guest when its dom0 is lost, or found again: pure. */
import type { Dom0Lost } from '../../contract/guest.ts';
import { operationRecord, type OperationKind } from '../../contract/operations.ts';
import { withFailure } from './life.ts';
import { isOver } from './life.ts';
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

/** Why an operation on a guest of a dom0 that is lost is refused; undefined if it is not lost, or that one can be done. */
export function whyLost(kind: OperationKind, { lost, dom0 }: GuestState): string | undefined {
  if (lost === undefined || operationRecord(kind).phases.includes('lost')) return undefined;
  return `its dom0 ${dom0} was declared lost at ${lost.since}`;
}
