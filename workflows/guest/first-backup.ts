/**
 * A guest's first backup: pure. It is no part of the order, which is done when the guest runs: it is the guest's first operation, and is tried again until
 * the guest has a backup.
 */
import type { OperationRequest } from '../../contract/guest-requests.ts';
import { operationWorkflowId } from '../../contract/names.ts';
import { operationRecord, type OperationKind } from '../../contract/operations.ts';
import { DAY_MS } from './operations/shared.ts';
import { withWarning, type GuestState } from './state.ts';

const HOUR_MS = 3_600_000;

/** What a guest asks of itself when its order is done. */
export const FIRST_BACKUP: OperationRequest = { kind: 'backup', id: 'first' };

/**
 * The next attempt: in an hour, and later each time, at most a day. Each attempt costs the dom0 a copy, and what keeps a guest from being backed up is often
 * mended by a person only.
 */
export function withFirstBackupDue(state: GuestState, nowMs: number): GuestState {
  const ageMs = nowMs - Date.parse(state.orderedAt);
  return { ...state, firstBackupAt: new Date(nowMs + Math.min(Math.max(ageMs, HOUR_MS), DAY_MS)).toISOString() };
}

/** It has a backup. */
export function withoutFirstBackupDue({ firstBackupAt: _taken, ...state }: GuestState): GuestState {
  return state;
}

/** After a backup that failed: a guest that has none yet says so, and when it tries again. */
export function afterFailedBackup(state: GuestState, message: string): GuestState {
  const { firstBackupAt } = state;
  if (firstBackupAt === undefined) return state;
  const [reason = ''] = message.split('\n', 1);
  return withWarning(state, `it has no backup yet: ${reason}; the next attempt is at ${firstBackupAt}`);
}

/** What runs on a guest, if anything does. */
type Running = { readonly workflowId: string } | undefined;

/**
 * Whether what runs is an attempt at the first backup, and makes way for this operation: it is cancelled, and comes later. Who has just got a guest may do
 * with it what they want.
 */
export function makesWay({ name, firstBackupAt }: GuestState, running: Running, kind: OperationKind): boolean {
  if (firstBackupAt === undefined || running === undefined || operationRecord(kind).waits === true) return false;
  return running.workflowId.startsWith(operationWorkflowId(name, 'backup', FIRST_BACKUP.id));
}
