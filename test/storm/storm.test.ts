/**
 * The storm: thousands of deliveries, shuffled, doubled, forged, while the gateway is killed. `STORM_ORDERS` and `STORM_DELIVERIES` make it
 * larger (`npm run test:storm`: 500 and 10,000), `STORM_SEED` makes it another one.
 */
import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { guestNameOfOrder } from '../../contract/billing.ts';
import { guestWorkflowId, QUERIES, WORKFLOWS } from '../../contract/names.ts';
import type { GuestStatus } from '../../contract/types.ts';
import { readOrder } from '../../gateway/orders.ts';
import { deliveriesOf, ordersOf, planOf } from './deliveries.ts';
import { createRandom } from './random.ts';
import { sendAll, unexpected } from './sender.ts';
import { createWorld, type World } from './world.ts';

const ORDERS = Number(process.env['STORM_ORDERS'] ?? 10);
const DELIVERIES = Number(process.env['STORM_DELIVERIES'] ?? ORDERS * 20);
const SEED = Number(process.env['STORM_SEED'] ?? 20_260_101);
const KILLS = 3;
const AT_ONCE = 50;
const PATIENCE_MS = Number(process.env['STORM_PATIENCE_MS'] ?? 3_600_000);

let world: World;
beforeAll(async () => {
  world = await createWorld(ORDERS);
}, 120_000);
afterAll(async () => {
  await world.close();
}, 120_000);

function percentile(values: readonly number[], part: number): number {
  return Math.round([...values].sort((a, b) => a - b)[Math.floor(values.length * part)] ?? 0);
}

async function guestOf(order: string): Promise<Pick<GuestStatus, 'phase' | 'plan' | 'order'>> {
  const {
    phase,
    plan,
    order: id,
  } = await world.session.client.workflow.getHandle(guestWorkflowId(guestNameOfOrder(order))).query<GuestStatus>(QUERIES.status);
  return { phase, plan, order: id };
}

async function untilSettled(order: string): Promise<void> {
  for (;;) {
    const status = await readOrder(world.session, order).catch(() => undefined);
    // What was refused stays a problem until somebody has seen it.
    const guest = await guestOf(order).catch(() => undefined);
    if (status !== undefined && status.trouble === undefined && status.doing === '' && guest?.phase === 'running') return;
    await sleep(200);
  }
}

it(
  `${DELIVERIES} deliveries for ${ORDERS} orders, forged ones among them, make exactly ${ORDERS} guests, although the gateway is killed`,
  async () => {
    const random = createRandom(SEED);
    const orders = ordersOf(ORDERS);
    const deliveries = deliveriesOf(orders, DELIVERIES, random);
    const kills = Array.from({ length: KILLS }, () => 1 + random.below(deliveries.length - 1)).sort((a, b) => a - b);
    let restarting = Promise.resolve();
    const began = performance.now();
    const sent = await sendAll(world.gateway.port, deliveries, AT_ONCE, (done) => {
      while (kills.length > 0 && done >= kills[0]!) {
        kills.shift();
        restarting = restarting.then(() => world.gateway.killAndRestart());
      }
    });
    const sentSeconds = (performance.now() - began) / 1_000;
    await restarting;
    for (const order of orders) await untilSettled(order);
    const allSeconds = (performance.now() - began) / 1_000;

    const figures = {
      seed: SEED,
      orders: ORDERS,
      deliveries: deliveries.length,
      answers: Object.fromEntries([...sent.answers].sort()),
      tries: { unanswered: sent.unanswered, deferred: sent.deferred },
      sentSeconds: Math.round(sentSeconds),
      perSecond: Math.round(deliveries.length / sentSeconds),
      untilSettledSeconds: Math.round(allSeconds),
      answerMs: {
        p50: percentile(sent.latencies, 0.5),
        p95: percentile(sent.latencies, 0.95),
        p99: percentile(sent.latencies, 0.99),
        most: Math.round(Math.max(...sent.latencies)),
      },
      gatewayPeakMiB: Math.round(world.gateway.peakBytes() / 2 ** 20),
    };
    process.stdout.write(`storm ${JSON.stringify(figures)}\n`);

    // Every kind of delivery got the answer that is its own, and every delivery of one event the same.
    expect(unexpected(sent.answers)).toEqual([]);
    expect([...sent.bodies.values()].filter((bodies) => bodies.size !== 1)).toEqual([]);
    // Exactly these guests: on the dom0, and in Temporal.
    const names = orders.map(guestNameOfOrder).sort();
    expect(
      world.fake.state.domains
        .map(({ name }) => name)
        .filter((name) => name !== 'Domain-0')
        .sort(),
    ).toEqual(names);
    const listed: string[] = [];
    for await (const { workflowId } of world.session.client.workflow.list({ query: `WorkflowType = '${WORKFLOWS.guest}'` }))
      listed.push(workflowId);
    expect(listed.sort()).toEqual(names.map(guestWorkflowId));
    // As their genuine events want them: nothing that was altered was obeyed.
    for (const [index, order] of orders.entries()) expect(await guestOf(order)).toEqual({ phase: 'running', plan: planOf(index), order });
    // And no secret, signature or body of theirs is in the log.
    const log = readFileSync(world.gateway.log, 'utf8');
    expect(log).not.toMatch(/whsec_|v1[,=]|example\.org/);
  },
  PATIENCE_MS,
);
