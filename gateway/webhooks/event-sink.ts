/** What the gateway needs of Temporal, behind one seam; and how it is done over the client library. */
import { WorkflowNotFoundError, type WorkflowHandle } from '@temporalio/client';
import { sealPassword } from '../../client/guests/sealed-password.ts';
import type { Session } from '../../client/session.ts';
import { BILLING, type BillingEvent, type EventAnswer } from '../../contract/billing.ts';
import { guestNameOfOrder } from '../../order/billing-events.ts';
import { GuestflowError } from '../../contract/errors.ts';
import { keywords } from '../../client/search-attributes.ts';
import { updateWithStart } from '../../client/workflow-calls.ts';
import { within } from '../lazy-session.ts';
import { createAdaptiveGate } from './adaptive-gate.ts';
import { billingWorkflowId, WORKFLOWS } from '../../contract/names.ts';
import type { BillingOrderInput } from '../../contract/workflow-inputs.ts';

/** Where events go. */
export interface EventSink {
  /**
   * Returns when the event is durably in Temporal.
   *
   * @throws GuestflowError Unreachable when that is not so within the time limit
   */
  deliver(event: BillingEvent): Promise<EventAnswer>;
}

/**
 * Most events that are with Temporal at once; the others wait here. A server that has too much to do would otherwise work on what nobody
 * waits for any more, and get to nothing in time.
 */
const AT_ONCE = 32;

/**
 * The sink over one connection.
 *
 * @param limitMs how long Temporal and a worker have to take an event
 */
export function createEventSink(session: () => Promise<Session>, limitMs: number): EventSink {
  const orders = new Map<string, string>();
  const gate = createAdaptiveGate(AT_ONCE, (error) => error instanceof GuestflowError && error.type === 'Unreachable');
  return {
    deliver: async (event) => {
      const former = orders.get(event.id) ?? event.order;
      // An event that comes again in the name of another order goes to the order that it was for, which refuses it. It says nothing there.
      const sent = former === event.order ? event : { ...event, order: former, says: {} };
      try {
        const until = performance.now() + limitMs;
        const left = (): number => Math.max(1, until - performance.now());
        // A turn ends in time, too, whatever the connection does: it is somebody else's then.
        const turn = (): Promise<EventAnswer> =>
          within(left(), async () => {
            const connected = await session();
            const sealed = await withoutPassword(connected, sent);
            return connected.call(`order ${former}`, () => send(connected, sealed), left());
          });
        const answer = await within(limitMs, () => gate.pass(turn, () => performance.now() + LEAST_LEFT_MS < until));
        if (answer === undefined) throw new GuestflowError('Unreachable', 'too many events wait for Temporal');
        if (answer.verdict !== 'unknown') remember(orders, event.id, former);
        return answer;
      } catch (error) {
        if (!(error instanceof GuestflowError) || error.type === 'Unreachable') throw error;
        // Whatever Temporal has against it now: an event that is good is never lost.
        throw new GuestflowError('Unreachable', error.message);
      }
    },
  };
}

/** With less time than that, in milliseconds, nobody would hear the answer. A timer may also fire a fraction of one before its time. */
const LEAST_LEFT_MS = 5;

/** Ids of events that a gateway remembers the orders of: enough for the hours in which senders repeat themselves. */
const REMEMBERED = 20_000;

function remember(orders: Map<string, string>, event: string, order: string): void {
  orders.set(event, order);
  const [oldest] = orders.keys();
  if (orders.size > REMEMBERED && oldest !== undefined) orders.delete(oldest);
}

/** The hash of a password goes to Temporal sealed for the dom0s: which of them gets the order is not known yet. */
async function withoutPassword(session: Session, event: BillingEvent): Promise<BillingEvent> {
  const { wishes } = event.says;
  if (wishes?.passwordHash === undefined) return event;
  return { ...event, says: { ...event.says, wishes: await sealPassword(session, event.order, wishes) } };
}

function send(session: Session, event: BillingEvent): Promise<EventAnswer> {
  return event.onlyIfKnown === true ? sendIfKnown(session, event) : sendAnyway(session, event);
}

/** The digest is part of the id: the server answers an update of a known id with the former answer, whatever it holds. */
function updateIdOf({ id, digest }: BillingEvent): string {
  return `${id}#${digest.slice(0, 16)}`;
}

/** To the workflow of its order, where there is one: nothing else says that it is for guestflow. */
async function sendIfKnown({ client }: Session, event: BillingEvent): Promise<EventAnswer> {
  const order = client.workflow.getHandle(billingWorkflowId(event.order));
  try {
    return await order.executeUpdate<EventAnswer, [BillingEvent]>(BILLING.event, { args: [event], updateId: updateIdOf(event) });
  } catch (error) {
    // One that continues as new has, for a moment, no run that takes it.
    if (!(error instanceof WorkflowNotFoundError) || (await isRunning(order))) throw error;
    return { event: event.id, order: event.order, guest: guestNameOfOrder(event.order), verdict: 'unknown' };
  }
}

async function isRunning(order: WorkflowHandle): Promise<boolean> {
  try {
    return (await order.describe()).status.name === 'RUNNING';
  } catch (error) {
    if (error instanceof WorkflowNotFoundError) return false;
    throw error;
  }
}

function sendAnyway({ client }: Session, event: BillingEvent): Promise<EventAnswer> {
  const { order } = event;
  const guest = guestNameOfOrder(order);
  const start = {
    workflowId: billingWorkflowId(order),
    input: [{ order, guest }] as [BillingOrderInput],
    typedSearchAttributes: keywords({ order, guest, phase: 'waiting' }),
    staticSummary: `order ${order} of billing`,
  };
  return updateWithStart(client, WORKFLOWS.billingOrder, start, BILLING.event, [event], updateIdOf(event));
}
