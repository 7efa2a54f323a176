/** Orders of billing, as an operator looks at them. */
import type { Session } from './session.ts';
import { query, runningIds, update } from './workflow-calls.ts';
import { BILLING, type OrderStatus } from '../contract/billing-types.ts';
import { billingWorkflowId, SEARCH_ATTRIBUTES, WORKFLOWS } from '../contract/names.ts';

const PREFIX = billingWorkflowId('');

/** What is known of an order. Throws GuestflowError NotFound. */
export function readOrder(session: Session, order: string): Promise<OrderStatus> {
  return session.call(`order ${order} of billing`, () => query(session.client, billingWorkflowId(order), BILLING.status));
}

/** What was refused has been seen, and what failed is tried again at once. */
export function acknowledge(session: Session, order: string): Promise<OrderStatus> {
  return session.call(`order ${order} of billing`, () => update(session.client, billingWorkflowId(order), BILLING.acknowledge));
}

/**
 * Orders, by their ids. A change may take a second to show.
 *
 * @param onlyProblems those that a person must know of: what was refused, what cannot be done, and what is paid for and still waits for an
 *   event that says what it is
 */
export async function listOrders(session: Session, onlyProblems: boolean): Promise<OrderStatus[]> {
  const phases = onlyProblems ? ` AND ${SEARCH_ATTRIBUTES.phase} IN ('problem', 'waiting')` : '';
  const ids = await session.call(
    'the list of orders',
    () => runningIds(session.client, WORKFLOWS.billingOrder, phases),
    Number.POSITIVE_INFINITY,
  );
  const orders: OrderStatus[] = [];
  for (const id of ids) orders.push(await readOrder(session, id.slice(PREFIX.length)));
  return orders.filter((order) => !onlyProblems || isProblem(order)).sort((a, b) => a.order.localeCompare(b.order));
}

/** An order that nobody has paid for may wait for ever; one that is paid for must not. */
function isProblem({ phase, wish }: OrderStatus): boolean {
  return phase === 'problem' || (phase === 'waiting' && wish === 'active');
}
