/** One storm, from the first delivery until all orders rest, and what it came to: for the test, which judges it, and for `npm run bench`. */
import { until } from '../../system/until.ts';
import { guestNameOfOrder } from '../../order/billing-events.ts';
import { guestWorkflowId, QUERIES } from '../../contract/names.ts';
import type { GuestStatus } from '../../contract/guest.ts';
import { readOrder } from '../../client/billing-orders.ts';
import { deliveriesOf, ordersOf, type Delivery } from './deliveries.ts';
import { createRandom } from './random.ts';
import { sendAll, type Sent } from './sender.ts';
import type { World } from './world.ts';

export interface Storm {
  readonly orders: number;
  /** So many, or a few more. */
  readonly deliveries: number;
  readonly seed: number;
  /** How often the gateway is killed meanwhile. */
  readonly kills: number;
}

export interface Raged {
  readonly orders: readonly string[];
  readonly deliveries: readonly Delivery[];
  readonly sent: Sent;
  readonly figures: Readonly<Record<string, unknown>>;
}

/** Deliveries at once. */
const AT_ONCE = 50;
/** Longest time for one order, when all those before it rest. */
const REST_LIMIT_MS = 300_000;

/** Rages, and waits until every order has what it wants. */
export async function rage(world: World, { orders: count, deliveries: total, seed, kills: often }: Storm): Promise<Raged> {
  const random = createRandom(seed);
  const orders = ordersOf(count);
  const deliveries = deliveriesOf(orders, total, random);
  const kills = Array.from({ length: often }, () => 1 + random.below(deliveries.length - 1)).sort((a, b) => a - b);
  let restarting = Promise.resolve();
  const began = performance.now();
  const sent = await sendAll(world.gateway.port, deliveries, AT_ONCE, (done) => {
    while (done >= (kills[0] ?? Number.POSITIVE_INFINITY)) {
      kills.shift();
      restarting = restarting.then(() => world.gateway.killAndRestart());
    }
  });
  const sentSeconds = (performance.now() - began) / 1_000;
  await restarting;
  for (const order of orders) await untilSettled(world, order, performance.now() + REST_LIMIT_MS);
  const settledSeconds = (performance.now() - began) / 1_000;
  const figures = {
    seed,
    orders: count,
    deliveries: deliveries.length,
    answers: Object.fromEntries([...sent.answers].sort()),
    unanswered: sent.unanswered,
    deferred: sent.deferred,
    sentSeconds: Math.round(sentSeconds),
    deliveriesPerSecond: Math.round(deliveries.length / sentSeconds),
    settledSeconds: Math.round(settledSeconds),
    answerMs: Object.fromEntries([0.5, 0.95, 0.99].map((part) => [`p${part * 100}`, percentile(sent.latencies, part)])),
    gatewayPeakMiB: Math.round(world.gateway.peakBytes() / 2 ** 20),
  };
  return { orders, deliveries, sent, figures };
}

function percentile(values: readonly number[], part: number): number {
  return Math.round([...values].sort((a, b) => a - b)[Math.floor(values.length * part)] ?? 0);
}

/** What matters of the guest of an order. */
export async function guestOf(world: World, order: string): Promise<Pick<GuestStatus, 'phase' | 'plan' | 'order'>> {
  const handle = world.session.client.workflow.getHandle(guestWorkflowId(guestNameOfOrder(order)));
  const { phase, plan, order: id } = await handle.query<GuestStatus>(QUERIES.status);
  return { phase, plan, order: id };
}

async function untilSettled(world: World, order: string, deadline: number): Promise<void> {
  let trouble = '';
  const isSettled = async (): Promise<boolean> => {
    const status = await readOrder(world.session, order).catch(() => undefined);
    const guest = await guestOf(world, order).catch(() => undefined);
    // What was refused stays a problem until somebody has seen it.
    trouble = JSON.stringify({ phase: guest?.phase, doing: status?.doing, trouble: status?.trouble });
    return status !== undefined && status.trouble === undefined && status.doing === '' && guest?.phase === 'running';
  };
  if (!(await until(isSettled, { everyMs: 200, limitMs: deadline - performance.now() })))
    throw new Error(`order ${order} does not come to rest: ${trouble}`);
}
