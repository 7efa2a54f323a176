/** A gateway over a real Temporal, real workflows of orders and guests, and scripted steps on the dom0. */
import { Client } from '@temporalio/client';
import type { TestWorkflowEnvironment } from '@temporalio/testing';
import { Worker } from '@temporalio/worker';
import { until as untilSeen } from '../../system/until.ts';
import { createBillingActivities, type BillingGuests, type Messenger } from '../../activities/control/billing/activities.ts';
import { connect, type Guestflow } from '../../client/index.ts';
import { findEndpoint } from '../../client/config.ts';
import { registerDom0 } from '../../client/dom0s/register.ts';
import { openSession, sessionOver, type Session } from '../../client/session.ts';
import { BILLING, type Notification, type OrderStatus } from '../../contract/billing.ts';
import { guestNameOfOrder } from '../../order/billing-events.ts';
import { billingWorkflowId, CONTROL_QUEUE, dom0BulkQueue, dom0Queue } from '../../contract/names.ts';
import { GuestflowError } from '../../contract/errors.ts';
import { loadPlans, parsePlans } from '../../order/plans.ts';
import type { Dom0Facts } from '../../contract/dom0.ts';
import type { GuestOrder, GuestRef, GuestStatus } from '../../contract/guest.ts';
import { createEventSink } from '../../gateway/webhooks/event-sink.ts';
import { createCatalogue, type Catalogue } from '../../gateway/webhooks/catalogue.ts';
import { createBillingGuests } from '../../activities/control/billing/guests.ts';
import { createGateway, type Gateway } from '../../gateway/gateway.ts';
import { SIGNUP_SECRET, STRIPE_SECRET } from '../unit/gateway/bench.ts';
import { DOM0, startServer, workflowBundle, type AnyActivities } from './temporal.ts';

/** A plan whose guests go at once. */
const GRACE0 = 'grace0: {memory: 256MiB, vcpus: 1, disk: 2GiB, swap: 128MiB, graceDays: 0}';

const NETWORK = { ip: '192.0.2.10', netmask: '255.255.255.0', gateway: '192.0.2.1', bridge: 'xenbr0' };

export const FACTS: Dom0Facts = {
  host: DOM0,
  seenAt: '2026-01-01T00:00:00.000Z',
  xenVersion: '4.17.7',
  memoryBytes: 2 ** 44,
  memoryFreeBytes: 2 ** 44,
  cpus: 4096,
  pools: [{ name: 'vg01', sizeBytes: 2 ** 46, freeBytes: 2 ** 46 }],
  imageDirFreeBytes: 2 ** 36,
  network: { cidr: '192.0.2.0/24', gateway: '192.0.2.1', bridge: 'xenbr0' },
  addresses: [],
  workerVersion: '0.1.0',
  domains: [],
};

const ANSWERS: Record<string, unknown> = {
  reserve: NETWORK,
  ensureGolden: { dist: 'bookworm', createdAt: '2026-01-01', reused: true },
  createImage: { bytes: 1 },
  fixCfg: { path: '/etc/xen/x.cfg', changed: [], sha256: '' },
  bootGuest: { domainId: 1, seconds: 1, rootDevice: '/dev/xvda2', kernel: '6.1.0' },
  stopGuest: { how: 'shut down' },
  makeVolumes: { root: 'r', swap: 's', copiedBytes: 1 },
  setWallclock: {
    independentWallclock: 'not needed',
    kernel: '6.1.0',
    clocksource: 'xen',
    timeDaemon: 'chrony',
    skewSeconds: 0,
    wentBackwards: [],
  },
  enableAutostart: { link: 'l' },
  takeBackup: { id: 'b1', path: '/b', bytes: 10 },
  listBackups: [],
  scheduleNightly: 'nightly/x',
  sealGuest: { sealed: true },
  leftoversOf: [],
  schedulesLeft: [],
};

/** Any step of a dom0 or of the ledger succeeds, unless `changes` says otherwise; `calls` has what was called. */
export function scriptedSteps(calls: string[], changes: AnyActivities = {}): AnyActivities {
  const plan = (input: { order: GuestOrder }): Promise<unknown> =>
    Promise.resolve({ ...input.order, network: { ...NETWORK, mac: '00:16:3E:00:00:01' } });
  const all: AnyActivities = { planGuest: plan, ...changes };
  return new Proxy(
    {},
    {
      ownKeys: () => STEP_NAMES,
      getOwnPropertyDescriptor: (_target, name) => ({ enumerable: true, configurable: true, value: name }),
      has: () => true,
      get: (_target, name) => {
        if (typeof name !== 'string' || !STEP_NAMES.includes(name)) return undefined;
        return async (...args: never[]) => {
          calls.push(name);
          return (await all[name]?.(...args)) ?? ANSWERS[name];
        };
      },
    },
  );
}

const STEP_NAMES = [
  ...Object.keys(ANSWERS),
  'planGuest',
  'release',
  'removeGuestState',
  'removeImage',
  'removeCfg',
  'destroyGuest',
  'removeVolumes',
  'disableAutostart',
  'unscheduleNightly',
  'undoBackup',
  'removeBackups',
  'dropImage',
  'growDisk',
  'shrinkDisk',
  'setAsideVolumes',
  'bringBackVolumes',
  'changeReservation',
  'pauseNightly',
  'resumeNightly',
  'startGuest',
  'pauseSchedule',
  'unpauseSchedule',
];

export interface BillingBench {
  readonly environment: TestWorkflowEnvironment;
  readonly gateway: Gateway;
  readonly catalogue: Catalogue;
  readonly flow: Guestflow;
  readonly session: Session;
  readonly calls: string[];
  readonly told: Notification[];
  /** The image of this order's guest is not made, and the guest does not stop, until the returned function is called. */
  hold(order: string): () => void;
  /** Ordering the guest of this order fails so; undefined: no longer. */
  fail(order: string, type: string | undefined): void;
  /** Webhooks about this order find nobody. */
  deafen(order: string): void;
  order(id: string): Promise<OrderStatus>;
  guest(order: string): Promise<GuestStatus>;
  close(): Promise<void>;
}

/** A workflow is deleted when the server has written down that all before it is done, which it does every half a minute, unless told otherwise. */
const DELETES_SOON = ['transfer', 'visibility'].flatMap((queue) => [
  '--dynamic-config-value',
  `history.${queue}ProcessorUpdateAckInterval="1s"`,
]);

export async function startBilling(): Promise<BillingBench> {
  const environment = await startServer(DELETES_SOON);
  const flow = await connect({ address: environment.address });
  const endpoint = await findEndpoint({ address: environment.address });
  const session = await openSession(endpoint);
  const calls: string[] = [];
  const told: Notification[] = [];
  const [held, failing, deaf] = [new Map<string, Promise<void>>(), new Map<string, string>(), new Set<string>()];
  const tell: Messenger = (notification) => {
    if (deaf.has(notification.data.order)) return Promise.reject(new Error('nobody is there'));
    told.push(notification);
    return Promise.resolve('200');
  };
  const createImage = async ({ spec }: { spec: GuestOrder }): Promise<unknown> => held.get(spec.order);
  // As in a control worker: over the worker's own connection.
  const guests = createBillingGuests(sessionOver(new Client({ connection: environment.nativeConnection }), endpoint));
  const scriptedGuests: BillingGuests = {
    ...guests,
    place: (order) => {
      const type = failing.get(order.order);
      return type === undefined ? guests.place(order) : Promise.reject(new GuestflowError(type as 'NoCapacity', `${type} for the test`));
    },
  };
  const stopGuest = async (ref: GuestRef): Promise<unknown> => {
    await held.get(ref.order);
    return { how: 'shut down' };
  };
  const steps = scriptedSteps(calls, { createImage, stopGuest });
  const { nativeConnection: connection } = environment;
  const activities = { ...steps, ...createBillingActivities({ guests: scriptedGuests, messenger: tell }) };
  const workers = await Promise.all([
    Worker.create({ connection, taskQueue: CONTROL_QUEUE, workflowBundle: await workflowBundle(), activities }),
    ...[dom0Queue(DOM0), dom0BulkQueue(DOM0)].map((taskQueue) =>
      Worker.create({ connection, taskQueue, activities: steps, maxHeartbeatThrottleInterval: '100ms' }),
    ),
  ]);
  const runs = workers.map((worker) => worker.run());
  await registerDom0(environment.client, FACTS);
  await untilSeen(async () => (await flow.dom0s()).length > 0, { everyMs: 50 });
  const plans = new Map([...(await loadPlans()), ...parsePlans(Buffer.from(GRACE0), 'test plans')]);
  const catalogue = createCatalogue(plans, new Map(Object.entries({ price_small: 'small', price_large: 'large' })));
  const gateway = createGateway({
    events: createEventSink(() => Promise.resolve(session), 10_000),
    catalogue,
    stripeSecrets: [STRIPE_SECRET],
    signupSecrets: [SIGNUP_SECRET],
    log: {
      info: () => undefined,
      warn: () => undefined,
      error: (fields, message) => {
        throw new Error(`${message}: ${JSON.stringify(fields)}`);
      },
    },
  });
  return {
    environment,
    gateway,
    catalogue,
    flow,
    session,
    calls,
    told,
    hold: (order) => {
      let release = (): void => undefined;
      held.set(
        order,
        new Promise((resolve) => {
          release = resolve;
        }),
      );
      return release;
    },
    fail: (order, type) => {
      if (type === undefined) failing.delete(order);
      else failing.set(order, type);
    },
    deafen: (order) => deaf.add(order),
    order: (id) => session.client.workflow.getHandle(billingWorkflowId(id)).query<OrderStatus>(BILLING.status),
    guest: (order) => flow.status(guestNameOfOrder(order)),
    close: async () => {
      for (const worker of workers) worker.shutdown();
      await Promise.all(runs);
      await Promise.all([session.close(), flow.close()]);
      await environment.teardown();
    },
  };
}

/** Looks again and again until what it sees is good. A look that fails is no good one. */
export function until<T>(look: () => Promise<T>, isGood: (value: T) => boolean): Promise<T> {
  const seen = (): Promise<T | undefined> =>
    look().then(
      (value) => (isGood(value) ? value : undefined),
      () => undefined,
    );
  return untilSeen(seen, { everyMs: 100 });
}
