/**
 * The storm: deliveries, shuffled, doubled, forged, while the gateway is killed. `STORM_ORDERS` and `STORM_DELIVERIES` make it larger
 * (`npm run test:storm`: 500 and 10,000), `STORM_SEED` makes it another one.
 */
import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { guestNameOfOrder } from '../../order/billing-events.ts';
import { guestWorkflowId, WORKFLOWS } from '../../contract/names.ts';
import { listOrders } from '../../client/billing-orders.ts';
import { planOf } from './deliveries.ts';
import { guestOf, rage } from './rage.ts';
import { unexpected } from './sender.ts';
import { createWorld, type World } from './world.ts';

const ORDERS = Number(process.env['STORM_ORDERS'] ?? 40);
const DELIVERIES = Number(process.env['STORM_DELIVERIES'] ?? ORDERS * 20);
const SEED = Number(process.env['STORM_SEED'] ?? 20_260_101);
/** For a machine that does little else; ten times what it takes there. */
const PATIENCE_MS = 300_000 + ORDERS * 15_000;

let world: World;
beforeAll(async () => {
  world = await createWorld(ORDERS);
}, 120_000);
afterAll(async () => {
  await world.close();
}, 120_000);

it(
  `${DELIVERIES} deliveries for ${ORDERS} orders, forged ones among them, make exactly ${ORDERS} guests, although the gateway is killed`,
  async () => {
    const { orders, deliveries, sent, figures } = await rage(world, { orders: ORDERS, deliveries: DELIVERIES, seed: SEED, kills: 3 });
    process.stdout.write(`storm ${JSON.stringify(figures)}\n`);

    // Every kind of delivery got the answer that is its own, and every delivery of one event the same.
    expect(unexpected(sent.answers)).toEqual([]);
    expect([...sent.bodies.values()].filter((bodies) => bodies.size !== 1)).toEqual([]);
    // Exactly these guests: on the dom0, and in Temporal.
    const names = orders.map(guestNameOfOrder).sort();
    const domains = world.fake.state.domains.map(({ name }) => name).filter((name) => name !== 'Domain-0');
    expect(domains.sort()).toEqual(names);
    const listed: string[] = [];
    for await (const { workflowId } of world.session.client.workflow.list({ query: `WorkflowType = '${WORKFLOWS.guest}'` }))
      listed.push(workflowId);
    expect(listed.sort()).toEqual(names.map(guestWorkflowId));
    // As their genuine events want them: nothing that was altered was obeyed.
    for (const [index, order] of orders.entries())
      expect(await guestOf(world, order)).toEqual({ phase: 'running', plan: planOf(index), order });
    // Whoever got another's event id into a good signature is shown to the operator; nobody else is.
    const conflicts = new Set(deliveries.filter(({ kind }) => kind === 'conflict').map(({ order }) => order));
    const shown = (await listOrders(world.session, true)).filter(({ refused }) => refused.length > 0);
    expect(shown.map(({ order }) => order).sort()).toEqual([...conflicts].sort());
    // And no secret, signature or body of theirs is in the log.
    const log = readFileSync(world.gateway.log, 'utf8');
    expect(log).toContain('"route":"/webhooks/stripe"');
    expect(log).not.toMatch(/whsec_|v1[,=]|example\.org/);
  },
  PATIENCE_MS,
);
