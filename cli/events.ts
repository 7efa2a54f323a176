/** What `guestflow events` does. */
import { GuestflowError } from '../contract/errors.ts';
import type { OrderStatus, WishProblem } from '../contract/billing.ts';
import { whyNotOrderId } from '../contract/guest-name.ts';
import { findEndpoint } from '../client/config.ts';
import { openSession, type Session } from '../client/session.ts';
import { acknowledge, listOrders, readOrder } from '../client/billing-orders.ts';
import type { EventsOptions } from './commands/gateway.ts';
import { printFacts, printJson, printLine, printTable, type Io } from './io.ts';
import { defined } from '../contract/defined.ts';

export async function showEvents(io: Io, order: string | undefined, options: EventsOptions): Promise<undefined> {
  if (order === undefined && options.acknowledge !== undefined)
    throw new GuestflowError('InvalidInput', '--acknowledge needs an order', { field: 'order' });
  const whyNot = order === undefined ? undefined : whyNotOrderId(order);
  if (whyNot !== undefined) throw new GuestflowError('InvalidInput', `"${order ?? ''}" ${whyNot}`, { field: 'order', value: order ?? '' });
  const { address, namespace, stateDir } = options;
  const session = await openSession(
    await findEndpoint({
      ...defined({ address, namespace, stateDir }),
    }),
  );
  try {
    if (order === undefined) await list(io, session, options);
    else show(io, options.acknowledge ? await acknowledge(session, order) : await readOrder(session, order), options);
  } finally {
    await session.close();
  }
  return undefined;
}

async function list(io: Io, session: Session, { problems, json }: EventsOptions): Promise<void> {
  const orders = await listOrders(session, problems === true);
  if (json) printJson(io, orders);
  else if (orders.length === 0) printLine(io, problems ? 'no problems' : 'no orders of billing');
  else if (problems) for (const order of orders) describeProblems(io, order);
  else
    printTable(
      io,
      ['ORDER', 'PHASE', 'WISH', 'PLAN', 'HOST NAME', 'GUEST', 'DOING'],
      orders.map((order) => [order.order, order.phase, order.wish, order.plan ?? '', order.hostname ?? '', order.guest, order.doing]),
    );
}

function describeProblems(io: Io, { order, guest, phase, doing, trouble, problems, refused }: OrderStatus): void {
  printLine(io, `order ${order} (guest ${guest})`);
  if (phase === 'waiting') printLine(io, `  waits: ${doing}`);
  if (trouble !== undefined) printLine(io, `  ${trouble.at}  ${trouble.type}: ${trouble.message}`);
  for (const problem of problems) printLine(io, `  ${describeProblem(problem)}`);
  for (const { at, message } of refused) printLine(io, `  ${at}  refused: ${message}`);
}

/** Since when, what, and what to mend. */
function describeProblem({ since, field, reason, mend }: WishProblem): string {
  return `${since}  ${field} ${reason}: ${mend}`;
}

function show(io: Io, order: OrderStatus, { json }: EventsOptions): void {
  if (json) {
    printJson(io, order);
    return;
  }
  printFacts(io, [
    ['order', order.order],
    ['guest', order.life === 1 ? order.guest : `${order.guest} (the order has had ${order.life})`],
    ['phase', order.phase],
    ['wish', order.wish],
    ['plan', order.plan],
    ['host name', order.hostname],
    ['customer', order.customer],
    ['doing', order.doing],
    ['trouble', order.trouble === undefined ? undefined : `${order.trouble.type}: ${order.trouble.message}`],
    ['problems', order.problems.map(describeProblem).join('\n')],
    ['refused', order.refused.map(({ message }) => message).join('\n')],
  ]);
  if (order.events.length > 0)
    printTable(
      io,
      ['HAPPENED', 'RECEIVED', 'TYPE', 'EVENT'],
      order.events.map(({ at, receivedAt, type, id }) => [at, receivedAt, type, id]),
    );
}
