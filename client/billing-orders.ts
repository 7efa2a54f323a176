/** Orders of billing, for an operator. */
import type { Session } from './session.ts';
import { query, runningIds, update } from './workflow-calls.ts';
import { BILLING, type OrderPhase, type OrderStatus } from '../contract/billing.ts';
import { billingWorkflowId, SEARCH_ATTRIBUTES, WORKFLOWS } from '../contract/names.ts';

const PREFIX = billingWorkflowId('');

/** What is known of an order. Throws GuestflowError NotFound. */
export function readOrder(session: Session, order: string): Promise<OrderStatus> {
  return session.call(`order ${order} of billing`, () => query(session.client, billingWorkflowId(order), BILLING.status));
}

/** Acknowledges what was refused, and has what failed tried again at once. */
export function acknowledge(session: Session, order: string): Promise<OrderStatus> {
  return session.call(`order ${order} of billing`, () => update(session.client, billingWorkflowId(order), BILLING.acknowledge));
}

/**
 * Orders, by their ids. A change may take a second to show.
 *
 * @param onlyProblems only orders that a person must look at: a refused event, a wish that cannot be fulfilled, or an order that is paid for and still
 *   waits for an event that says what it is
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

/** An unpaid order may wait for ever; a paid one must not. */
function isProblem({ phase, wish }: OrderStatus): boolean {
  return phase === 'problem' || (phase === 'waiting' && wish === 'active');
}

/** How many orders that run are in each phase. */
export async function countOrders(session: Session): Promise<Readonly<Record<OrderPhase, number>>> {
  const phases: readonly OrderPhase[] = ['waiting', 'working', 'settled', 'problem', 'over'];
  const counted = await session.call('the orders of billing', () =>
    Promise.all(
      phases.map(async (phase) => {
        const query = `WorkflowType = '${WORKFLOWS.billingOrder}' AND ExecutionStatus = 'Running' AND ${SEARCH_ATTRIBUTES.phase} = '${phase}'`;
        return [phase, (await session.client.workflow.count(query)).count] as const;
      }),
    ),
  );
  return Object.fromEntries(counted) as Record<OrderPhase, number>;
}

/** Orders that are asked what is wrong with them, at a time: an order of more is told when others are mended. */
const MOST_TROUBLED = 50;

/** Orders that a person must look at, by their ids, and whether they were refused for want of room. At most fifty. */
export async function readTroubled(session: Session): Promise<{ readonly order: string; readonly hasNoRoom: boolean }[]> {
  const ids = await session.call('the orders of billing', () =>
    runningIds(session.client, WORKFLOWS.billingOrder, ` AND ${SEARCH_ATTRIBUTES.phase} = 'problem'`),
  );
  const orders = await Promise.all(ids.slice(0, MOST_TROUBLED).map((id) => readOrder(session, id.slice(PREFIX.length))));
  return orders.map(({ order, trouble }) => ({ order, hasNoRoom: trouble?.type === 'NoCapacity' }));
}
