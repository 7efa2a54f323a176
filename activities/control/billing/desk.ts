/** Guests, as the activities of billing reach them: over the client library. */
import { WorkflowUpdateFailedError, type WorkflowUpdateHandle } from '@temporalio/client';
import type { GuestDesk, OrderToPlace } from './billing.ts';
import { toGuestflowError } from '../../../client/failures.ts';
import { startOperation } from '../../../client/operations.ts';
import { placeOrder } from '../../../client/orders.ts';
import { placeAndReserve } from '../../../client/placement.ts';
import { readStatus } from '../../../client/progress.ts';
import type { Session } from '../../../client/session.ts';
import { hostnameWorkflowId, type GuestView, type OperationOutcome } from '../../../contract/billing-types.ts';
import { GuestflowError, isLostUpdate, type ErrorType } from '../../../contract/errors.ts';
import type { GuestStatus, OperationRequest, OperationResult } from '../../../contract/types.ts';
import { defined } from '../../../contract/defined.ts';

/** Chooses the dom0 of an order. */
export type ChooseDom0 = (session: Session, order: OrderToPlace) => Promise<string>;

/** How long an operation is waited for before the workflow is told to ask again. */
const WAIT_MS = 3_000;

/** The desk over one connection. */
export function createDesk(session: Session, chooseDom0: ChooseDom0 = placeAndReserve): GuestDesk {
  return {
    look: (guest) => look(session, guest),
    place: (order) => place(session, order, chooseDom0),
    operate: (guest, request) => operate(session, guest, request),
    holderOfHostname: (hostname) => holderOf(session, hostname),
  };
}

async function statusOf(session: Session, guest: string): Promise<GuestStatus | undefined> {
  try {
    return await readStatus(session, guest);
  } catch (error) {
    if (error instanceof GuestflowError && error.type === 'NotFound') return undefined;
    throw error;
  }
}

async function look(session: Session, guest: string): Promise<GuestView | undefined> {
  const status = await statusOf(session, guest);
  if (status === undefined) return undefined;
  const { order, phase, plan, spec, graceUntil, error } = status;
  return {
    order,
    phase,
    plan,
    isBusy: status.operation !== undefined || status.queued.length > 0,
    ...(spec === undefined ? {} : { ip: spec.network.ip }),
    ...defined({ graceUntil }),
    ...(error === undefined ? {} : { error: { type: error.type, message: error.message } }),
  };
}

async function place(session: Session, order: OrderToPlace, chooseDom0: ChooseDom0): Promise<void> {
  // An order that was placed before keeps its dom0: choosing again might choose another.
  const former = await statusOf(session, order.name);
  if (former !== undefined && former.phase !== 'failed' && former.order === order.order) return;
  await placeOrder(session, { ...order, dom0: await chooseDom0(session, order) });
}

/**
 * Asks for an operation.
 *
 * @param waitMs how long its end is waited for
 */
export async function operate(session: Session, guest: string, request: OperationRequest, waitMs = WAIT_MS): Promise<OperationOutcome> {
  try {
    const taken = await session.call(`guest ${guest}`, () => startOperation(session.client, guest, request));
    const ended = await session
      .call(`guest ${guest}`, () => outcomeOf(taken), waitMs)
      // No answer in that time. An operation that has ended as `Unreachable` (its dom0 was away) is another matter: it has ended.
      .catch((error: unknown) => {
        if (error instanceof GuestflowError && error.type === 'Unreachable') return undefined;
        throw error;
      });
    if (ended === undefined) return { state: 'pending' };
    if ('result' in ended) return { state: 'done', result: ended.result };
    const { type, message } = toGuestflowError(ended.failure, `guest ${guest}`, session.endpoint.address);
    return { state: whatOf(type), type, message };
  } catch (error) {
    if (!(error instanceof GuestflowError) || error.type === 'Unreachable') throw error;
    const { type, message } = error;
    return { state: whatOf(type), type, message };
  }
}

function whatOf(type: ErrorType): 'refused' | 'failed' {
  return type === 'Busy' || type === 'NotFound' ? 'refused' : 'failed';
}

/** How an operation has ended: well, or with a failure of its own; undefined when it was lost, and is to be asked for again. Other errors are the call's. */
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

async function holderOf(session: Session, hostname: string): Promise<string | undefined> {
  const { memo } = await session.call(`host name ${hostname}`, () =>
    session.client.workflow.getHandle(hostnameWorkflowId(hostname)).describe(),
  );
  return typeof memo?.['order'] === 'string' ? memo['order'] : undefined;
}
