/** Lives of orders of billing, for the histories that are replayed. */
import type { TestWorkflowEnvironment } from '@temporalio/testing';
import { hostnameWorkflowId } from '../../contract/billing.ts';
import { billingWorkflowId } from '../../contract/names.ts';
import { acknowledge } from '../../client/billing-orders.ts';
import { startBilling, until, type BillingBench } from '../workflow/billing-bench.ts';
import { NOW, signup } from '../unit/gateway/bench.ts';

type Keep = (environment: TestWorkflowEnvironment, workflowId: string, name: string) => Promise<void>;

let sent = 0;

async function say(bench: BillingBench, type: string, order: string, data: object = {}, id?: string): Promise<void> {
  sent += 1;
  const body = { type, timestamp: new Date((NOW - 100) * 1_000 + sent).toISOString(), data: { order, ...data } };
  await bench.gateway(signup(body, { id: id ?? `msg_${sent}` }));
}

function settled(bench: BillingBench, order: string, phase: string): Promise<unknown> {
  return until(
    async () => ({ guest: (await bench.guest(order)).phase, order: (await bench.order(order)).phase }),
    (seen) => seen.guest === phase && seen.order === 'settled',
  );
}

/** Bought, suspended, resumed, given another plan, terminated and taken back; an event came twice, once with another body. */
async function life(bench: BillingBench, record: Keep): Promise<void> {
  const [order, hostname] = ['recorded-1', 'recorded.example.org'];
  await say(bench, 'order.paid', order, { hostname, plan: 'small' }, 'first');
  await settled(bench, order, 'running');
  await say(bench, 'order.terminated', order, {}, 'first');
  await acknowledge(bench.session, order);
  await say(bench, 'order.suspended', order);
  await settled(bench, order, 'suspended');
  await say(bench, 'order.unsuspended', order);
  await settled(bench, order, 'running');
  await say(bench, 'order.upgraded', order, { plan: 'large' });
  await until(
    () => bench.guest(order),
    ({ plan }) => plan === 'large',
  );
  await say(bench, 'order.terminated', order);
  await settled(bench, order, 'terminating');
  await say(bench, 'order.unsuspended', order);
  await settled(bench, order, 'running');
  await until(
    () => Promise.resolve(bench.told),
    (told) => told.length === 5,
  );
  await record(bench.environment, billingWorkflowId(order), 'billing-life');
  await record(bench.environment, `notify/${bench.told[0]?.id ?? ''}`, 'notify');
}

/** Wants a host name that another order has; gets another one; is gone at once when it is terminated. */
async function trouble(bench: BillingBench, record: Keep): Promise<void> {
  const [order, hostname] = ['recorded-2', 'recorded-2.example.org'];
  await say(bench, 'order.paid', order, { hostname: 'recorded.example.org', plan: 'grace0' });
  await until(
    () => bench.order(order),
    ({ trouble: shown }) => shown?.type === 'HostnameTaken',
  );
  await say(bench, 'order.paid', order, { hostname, plan: 'grace0' });
  await settled(bench, order, 'running');
  await say(bench, 'order.terminated', order);
  await until(
    () => bench.order(order),
    ({ phase }) => phase === 'over',
  );
  await until(
    () => bench.session.client.workflow.getHandle(hostnameWorkflowId(hostname)).describe(),
    ({ status }) => status.name === 'COMPLETED',
  );
  await record(bench.environment, billingWorkflowId(order), 'billing-trouble');
  await record(bench.environment, hostnameWorkflowId(hostname), 'hold-hostname');
}

/** Names a plan that there is not, then one that there is; is terminated, and begun anew when its guest is gone. */
async function again(bench: BillingBench, record: Keep): Promise<void> {
  const order = 'recorded-4';
  await say(bench, 'order.paid', order, { hostname: 'recorded-4.example.org', plan: 'no-such-plan' });
  await until(
    () => Promise.resolve(bench.told),
    (told) => told.some(({ type }) => type === 'order.problem'),
  );
  await say(bench, 'order.upgraded', order, { plan: 'grace0' });
  await settled(bench, order, 'running');
  await say(bench, 'order.terminated', order);
  await until(
    () => bench.order(order),
    ({ phase }) => phase === 'over',
  );
  await say(bench, 'order.unsuspended', order);
  await until(
    () => bench.order(order),
    ({ life, phase }) => life === 2 && phase === 'settled',
  );
  await record(bench.environment, billingWorkflowId(order), 'billing-again');
}

/** Records them, on a server of their own. */
export async function recordBilling(record: Keep): Promise<void> {
  const bench = await startBilling();
  try {
    await life(bench, record);
    await trouble(bench, record);
    await again(bench, record);
  } finally {
    await bench.close();
  }
}
