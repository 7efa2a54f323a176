/** Asks a guest for an operation, and waits for it: to its end, or for a moment. */
import { randomBytes } from 'node:crypto';
import { WorkflowUpdateFailedError, type WorkflowUpdateHandle } from '@temporalio/client';
import type { OperationOutcome } from '../../contract/billing.ts';
import { defined } from '../../contract/defined.ts';
import { GuestflowError, type ErrorType } from '../../contract/errors.ts';
import { GUEST_UPDATES, guestWorkflowId } from '../../contract/names.ts';
import type { OperationKind } from '../../contract/operations.ts';
import type { DiskChange, OperationRequest, OperationResult, PlanChange } from '../../contract/guest-requests.ts';
import { sealedRequest, type AccessWish, type OperationWish, type ReinstallWish, type RescueWish } from './access.ts';
import { toGuestflowError } from '../failures.ts';
import { isLostUpdate } from '../lost-updates.ts';
import { ANSWER_MS, type Session } from '../session.ts';
import { startUpdate, update } from '../workflow-calls.ts';

/** How an operation is asked for. */
export interface OperateOptions {
  /** Id of the request: the same id again is the same request, and gets the same answer. Default: a new one. */
  readonly id?: string;
  /** `terminate`: without the grace period. Default: false. */
  readonly now?: boolean;
  /** `changePlan`: the new plan. */
  readonly change?: PlanChange;
  /** `resize`: the new size of the disk. */
  readonly resize?: DiskChange;
  /** `setPassword`, `setKeys`, `setHostname`. The hash of a password leaves this process sealed for the guest's dom0. */
  readonly access?: AccessWish;
  /** `reinstall`. The hash of a password leaves this process sealed for the guest's dom0. */
  readonly reinstall?: ReinstallWish;
  /** `rescue`. The hash of a password leaves this process sealed for the guest's dom0. */
  readonly rescue?: RescueWish;
  /** `restore`, `restoreElsewhere`, `prove`, `protect`, `unprotect`: id of the backup. Default: the last one. */
  readonly backup?: string;
  /** `restoreElsewhere`: the dom0 that gets the guest, whose own is lost. */
  readonly dom0?: string;
  /** `restore`, `restoreElsewhere`: no backup that was taken later than this (ISO 8601, UTC). */
  readonly at?: string;
}

/** Asks a guest for an operation. Returns as soon as the update was taken; if it was lost on its way, its result says so. */
function ask({ client }: Session, guest: string, request: OperationRequest): Promise<WorkflowUpdateHandle<OperationResult>> {
  return startUpdate(client, guestWorkflowId(guest), GUEST_UPDATES.operate, request.id, request);
}

/** Runs an operation and returns its result, however long it takes. It waits behind the one that runs. */
export async function operate(
  session: Session,
  guest: string,
  kind: OperationKind,
  { id, ...wish }: OperateOptions = {},
): Promise<OperationResult> {
  const request = await sealedRequest(session, guest, { kind, id: id ?? `${kind}-${randomBytes(6).toString('hex')}`, ...wish });
  // Asking and waiting are one call: only the result tells whether the update was lost, and must be sent again.
  const perform = async (): Promise<OperationResult> => {
    const taken = await session.client.withDeadline(Date.now() + ANSWER_MS, () => ask(session, guest, request));
    return taken.result();
  };
  return session.call(`guest ${guest}`, perform, Number.POSITIVE_INFINITY);
}

/**
 * Asks for an operation, and waits a moment for its end. The same request again does not begin a second one.
 *
 * @param waitMs how long its end is waited for
 * @throws GuestflowError Unreachable when it could not be asked for
 */
export async function operateFor(session: Session, guest: string, wish: OperationWish, waitMs: number): Promise<OperationOutcome> {
  try {
    const request = await sealedRequest(session, guest, wish);
    const taken = await session.call(`guest ${guest}`, () => ask(session, guest, request));
    const ended = await session
      .call(`guest ${guest}`, () => outcomeOf(taken), waitMs)
      // No answer in that time: the operation goes on. (If the operation itself ends as `Unreachable`, since its dom0 was away, it has ended.)
      .catch((error: unknown) => {
        if (error instanceof GuestflowError && error.type === 'Unreachable') return undefined;
        throw error;
      });
    if (ended === undefined) return { state: 'pending' };
    if ('result' in ended) return { state: 'done', result: ended.result };
    return failed(toGuestflowError(ended.failure, `guest ${guest}`, session.endpoint.address));
  } catch (error) {
    if (!(error instanceof GuestflowError) || error.type === 'Unreachable') throw error;
    return failed(error);
  }
}

const REFUSALS: ReadonlySet<ErrorType> = new Set<ErrorType>(['Busy', 'NotFound']);

function failed({ type, message, details: { field } }: GuestflowError): OperationOutcome {
  return { state: REFUSALS.has(type) ? 'refused' : 'failed', type, message, ...defined({ field }) };
}

/** How an operation has ended: done, or with its failure; undefined if the update was lost and must be sent again. Errors of the call itself are thrown. */
async function outcomeOf(
  taken: WorkflowUpdateHandle<OperationResult>,
): Promise<{ readonly result: OperationResult } | { readonly failure: WorkflowUpdateFailedError } | undefined> {
  try {
    return { result: await taken.result() };
  } catch (error) {
    if (isLostUpdate(error)) return undefined;
    if (error instanceof WorkflowUpdateFailedError) return { failure: error };
    throw error;
  }
}

/** Cancels the operation that runs; it is undone. Returns its kind, or undefined when none ran. */
export async function cancelOperation(session: Session, guest: string): Promise<string | undefined> {
  return (await session.call(`guest ${guest}`, () => update(session.client, guestWorkflowId(guest), GUEST_UPDATES.cancel))).cancelled;
}
