/** The control worker as it runs in production does the work of billing: a bundle of tests that has more in it would hide that it does not. */
import type { TestWorkflowEnvironment } from '@temporalio/testing';
import { pino } from 'pino';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { until } from '../../system/until.ts';
import { findEndpoint } from '../../client/config.ts';
import { openSession, type Session } from '../../client/session.ts';
import type { OrderStatus } from '../../contract/billing.ts';
import { loadPlans } from '../../order/plans.ts';
import { createEventSink } from '../../gateway/webhooks/event-sink.ts';
import { createCatalogue } from '../../gateway/webhooks/catalogue.ts';
import { createGateway } from '../../gateway/gateway.ts';
import { listOrders } from '../../client/billing-orders.ts';
import { runControlWorker } from '../../worker/control.ts';
import { installRuntime } from '../../worker/logger.ts';
import { paid, signup, SIGNUP_SECRET } from '../unit/gateway/bench.ts';
import { startServer } from './temporal.ts';

let environment: TestWorkflowEnvironment;
let session: Session;
let running: Promise<void>;
const stop = new AbortController();

beforeAll(async () => {
  const logger = pino({ level: 'silent' });
  installRuntime(logger);
  environment = await startServer();
  session = await openSession(await findEndpoint({ address: environment.address }));
  await new Promise<void>((resolve, reject) => {
    running = runControlWorker({ address: environment.address, signal: stop.signal, logger, onReady: resolve });
    running.catch(reject);
  });
}, 120_000);

afterAll(async () => {
  stop.abort();
  await running;
  await session.close();
  await environment.teardown();
}, 120_000);

const problem = (order: string): Promise<OrderStatus> =>
  until(async () => (await listOrders(session, true)).find((status) => status.order === order), { everyMs: 200 });

it('takes an event, tries to place its guest, and shows what is in the way', async () => {
  const ignore = (): void => undefined;
  const gateway = createGateway({
    events: createEventSink(() => Promise.resolve(session), 30_000),
    catalogue: createCatalogue(await loadPlans(), new Map()),
    stripeSecrets: [],
    signupSecrets: [SIGNUP_SECRET],
    log: { info: ignore, warn: ignore, error: ignore },
  });
  expect((await gateway(signup(paid('W-1')))).status).toBe(200);
  // There is no dom0 here.
  expect(await problem('W-1')).toMatchObject({
    order: 'W-1',
    wish: 'active',
    trouble: { message: expect.stringMatching(/dom0/) as unknown },
  });
});
