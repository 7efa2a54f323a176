/** What the gateway needs of Temporal, behind one seam; and how it is done over the client library. */
import { WithStartWorkflowOperation } from '@temporalio/client';
import { defineSearchAttributeKey } from '@temporalio/common';
import type { Session } from '../client/session.ts';
import { BILLING, type BillingEvent, type EventAnswer } from '../contract/billing-types.ts';
import { guestNameOfOrder } from '../contract/billing.ts';
import { billingWorkflowId, CONTROL_QUEUE, SEARCH_ATTRIBUTES, WORKFLOWS } from '../contract/names.ts';

/** Where events go. */
export interface EventSink {
  /**
   * Returns when the event is durably in Temporal.
   *
   * @throws GuestflowError Unreachable when that is not so within the time limit
   */
  deliver(event: BillingEvent): Promise<EventAnswer>;
}

type BillingOrderWorkflow = (input: { order: string; guest: string }) => Promise<void>;

/**
 * The sink over one connection.
 *
 * @param limitMs how long Temporal and a worker have to take an event
 */
export function createEventSink(session: Session, limitMs: number): EventSink {
  return {
    deliver: (event) => {
      const start = new WithStartWorkflowOperation<BillingOrderWorkflow>(WORKFLOWS.billingOrder, {
        workflowId: billingWorkflowId(event.order),
        taskQueue: CONTROL_QUEUE,
        args: [{ order: event.order, guest: guestNameOfOrder(event.order) }],
        workflowIdConflictPolicy: 'USE_EXISTING',
        typedSearchAttributes: [
          { key: defineSearchAttributeKey(SEARCH_ATTRIBUTES.order, 'KEYWORD'), value: event.order },
          { key: defineSearchAttributeKey(SEARCH_ATTRIBUTES.guest, 'KEYWORD'), value: guestNameOfOrder(event.order) },
        ],
        staticSummary: `order ${event.order} of billing`,
      });
      // The digest is part of the id: the server answers an update of a known id with the former answer, whatever it holds.
      const updateId = `${event.id}#${event.digest.slice(0, 16)}`;
      return session.call(`order ${event.order}`, () => session.client.workflow.executeUpdateWithStart<BillingOrderWorkflow, EventAnswer, [BillingEvent]>(BILLING.event, { args: [event], updateId, startWorkflowOperation: start }), limitMs);
    },
  };
}
