/** guest: one workflow for each guest, for as long as it lives. Starting it is the order; it runs one operation at a time. */
import { allHandlersFinished, ApplicationFailure, CancellationScope, condition, continueAsNew, workflowInfo } from '@temporalio/workflow';
import { GUEST_SIGNALS, GUEST_UPDATES, QUERIES } from '../../contract/names.ts';
import { isSameOrder } from '../../contract/same-order.ts';
import type { GuestOrder, OrderAnswer } from '../../contract/guest.ts';
import type { OperationRequest } from '../../contract/guest-requests.ts';
import type { GuestInput } from '../../contract/workflow-inputs.ts';
import { onQuery, onSignal, onUpdate } from '../saga/handlers.ts';
import { declareVersioning } from '../saga/versioning.ts';
import { refuse } from './at-work.ts';
import { isOver } from './life.ts';
import { untilDueMs, type GuestState } from './state.ts';
import { GuestWork } from './work.ts';

/** The input of one run. */
export interface GuestRun extends GuestInput {
  /** Set if the guest continues as new. */
  readonly carried?: GuestState;
}

export async function guest({ order, adopts, carried }: GuestRun): Promise<void> {
  const work = new GuestWork(order, carried);
  handle(work);
  // Temporal tells a run only of the first cancel in the UI, so the guest continues as new after one, as soon as it is at rest.
  let hasSeenCancel = false;
  const shouldContinueAsNew = (): boolean => hasSeenCancel || workflowInfo().continueAsNewSuggested;
  // Cancel in the UI means: stop what you are doing, and undo it. It does not end the workflow of a guest at rest.
  void CancellationScope.current().cancelRequested.catch(() => {
    work.child.cancel();
    hasSeenCancel = true;
  });
  await CancellationScope.nonCancellable(async () => {
    if (carried === undefined) await (adopts === true ? work.adopt() : work.provision());
    // Requests that still wait when the guest is gone are refused; they are not left waiting.
    while (!isOver(work.state) || work.queue.length > 0) {
      const dueMs = untilDueMs(work.state, Date.now());
      const { restartAt } = work.state;
      const isWoken = (): boolean =>
        work.queue.length > 0 || work.hasNewsOfDom0 || work.state.restartAt !== restartAt || shouldContinueAsNew();
      const woken = dueMs === undefined ? await condition(isWoken).then(() => true) : await condition(isWoken, dueMs);
      if (work.hasNewsOfDom0) await work.heedDom0();
      else if (work.queue.length > 0) await work.next();
      else if (!woken) await work.onDue();
      else if (shouldContinueAsNew()) {
        await condition(allHandlersFinished);
        if (work.queue.length === 0) await continueAsNew<typeof guest>({ order, carried: work.state });
      }
    }
    await condition(allHandlersFinished);
    if (work.state.phase === 'failed') throw outcomeOf(work.state);
  });
}

/** What others ask a guest and tell it. */
function handle(work: GuestWork): void {
  const { order } = work;
  onQuery(QUERIES.status, () => work.status());
  onUpdate(
    GUEST_UPDATES.order,
    () => answerTo(order),
    (again) => mustBeSameOrder(order, again, work.state.dom0),
  );
  onUpdate(
    GUEST_UPDATES.operate,
    (request) => work.ask(request),
    (request) => mustBeAllowed(work, request),
  );
  onUpdate(
    GUEST_UPDATES.cancel,
    () => work.child.cancel(),
    () => mustBeCancellable(work),
  );
  onSignal(GUEST_SIGNALS.night, (request) => CancellationScope.nonCancellable(() => work.nights.take(request)));
  onSignal(GUEST_SIGNALS.dom0Lost, (what) => CancellationScope.nonCancellable(() => work.hearOfDom0(what)));
  onSignal(GUEST_SIGNALS.domainGone, ({ order: of, dom0 = work.ref.dom0, ...end }) => {
    if (of === order.order && dom0 === work.ref.dom0) work.domainGone(end);
  });
}

function answerTo({ name, order }: GuestOrder): OrderAnswer {
  const { workflowId, runId } = workflowInfo();
  return { workflowId, runId, name, order };
}

/** @param dom0 where the guest lives: placement finds it there, though its order was for another one that was lost */
function mustBeSameOrder(first: GuestOrder, again: GuestOrder, dom0: string): void {
  if (again.order !== first.order)
    throw refuse('NotOurs', `a guest named ${first.name} exists: order ${first.order} made it. Choose another name.`, 'name');
  if (!isSameOrder(first, again.dom0 === dom0 ? { ...again, dom0: first.dom0 } : again))
    throw refuse(
      'InvalidInput',
      `order ${first.order} was given before with another content: an order cannot be changed by sending it again`,
      'order',
    );
}

function mustBeAllowed(work: GuestWork, { kind }: OperationRequest): void {
  const reason = work.whyNot(kind);
  if (reason === undefined) return;
  const field = kind === 'restoreElsewhere' ? 'dom0' : undefined;
  throw refuse('Busy', `${kind} of ${work.order.name} is refused: ${reason}`, field);
}

/** A removal cannot be cancelled: what it has removed cannot be brought back. */
function mustBeCancellable({ child: { running }, isRemoving, order }: GuestWork): void {
  if (running !== undefined && isRemoving)
    throw refuse('Busy', `${running.kind} of ${order.name} cannot be cancelled: what it has removed cannot be brought back`);
}

/** The failure with which an order that was cleaned up ends, so that its name can be ordered again. */
function outcomeOf({ error }: GuestState): ApplicationFailure {
  return ApplicationFailure.create({
    type: error?.type ?? 'ToolFailed',
    nonRetryable: true,
    message: error?.message ?? 'the order failed and was cleaned up',
  });
}

// A guest lives for years, so its workflow must go on with new code: changes to it are patched.
declareVersioning('AUTO_UPGRADE', guest);
