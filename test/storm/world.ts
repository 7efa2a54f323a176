/** All that the storm rages over: a real Temporal, workers in this process, the fake dom0, and a gateway that can be killed. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestWorkflowEnvironment } from '@temporalio/testing';
import { Worker } from '@temporalio/worker';
import { pino } from 'pino';
import { createControlActivities } from '../../activities/control/activities.ts';
import { createBillingActivities } from '../../activities/control/billing/activities.ts';
import { createDom0Activities } from '../../activities/dom0/activities.ts';
import { isServerAlive, stopServer, type ServerProcess } from '../../system/run-server.ts';
import { freePort } from '../../system/ports.ts';
import { findEndpoint } from '../../client/config.ts';
import { openSession, type Session } from '../../client/session.ts';
import { CONTROL_QUEUE, dom0BulkQueue, dom0Queue } from '../../contract/names.ts';
import { createFakeDom0, type FakeDom0 } from '../../fake/index.ts';
import { createBillingGuests } from '../../activities/control/billing/guests.ts';
import { parseDom0Settings } from '../../worker/dom0-settings.ts';
import { registerThisDom0 } from '../../worker/registration.ts';
import { startGatewayProcess } from '../gateway-process.ts';
import { SIGNUP_SECRET, STRIPE_SECRET } from '../unit/gateway/bench.ts';
import { startServer, workflowBundle } from '../workflow/temporal.ts';

const NETWORK = { cidr: '10.20.0.0/20', gateway: '10.20.0.1' };
/** Milliseconds that Temporal has to take an event; as in production. */
const ANSWER_MS = process.env['STORM_ANSWER_MS'] ?? '950';

export interface StormGateway {
  readonly port: number;
  /** SIGKILL, and another one in its place. */
  killAndRestart(): Promise<void>;
  /** Most memory that one of its processes had, in bytes. */
  peakBytes(): number;
  readonly log: string;
  stop(): Promise<void>;
}

export interface World {
  readonly environment: TestWorkflowEnvironment;
  readonly session: Session;
  readonly fake: FakeDom0;
  readonly gateway: StormGateway;
  close(): Promise<void>;
}

/** Everything, with room for so many guests. */
export async function createWorld(guests: number): Promise<World> {
  const environment = await startServer();
  const session = await openSession(await findEndpoint({ address: environment.address }));
  const fake = await createFakeDom0({
    network: { ...NETWORK, bridge: 'xenbr0' },
    memoryMiB: 2_048 + guests * 1_024,
    volumeGroupBytes: (guests + 10) * 20 * 2 ** 30,
    // Each is sold four times, and a guest has two at most.
    cpus: 64 + guests,
  });
  const stopWorkers = await startWorkers(environment, session, fake);
  const gateway = await startGateway(environment.address);
  return {
    environment,
    session,
    fake,
    gateway,
    close: async () => {
      await gateway.stop();
      await stopWorkers();
      await session.close();
      fake.close();
      await environment.teardown();
    },
  };
}

/**
 * Workers of all queues in this process, those of the dom0 on the fake one. Returns what ends them.
 *
 * @param more settings of the dom0. Default: none
 */
export async function startWorkers(
  environment: Pick<TestWorkflowEnvironment, 'client' | 'nativeConnection'>,
  session: Session,
  fake: FakeDom0,
  more: object = {},
): Promise<() => Promise<void>> {
  const { nativeConnection: connection, client } = environment;
  const log = pino({ level: 'silent' });
  const host = fake.host();
  const settings = parseDom0Settings(
    { host: 'storm1', network: NETWORK, kernel: '/boot/vmlinuz-6.1.0-49-amd64', initrd: '/boot/initrd.img-6.1.0-49-amd64', ...more },
    'the storm',
  );
  const steps = createDom0Activities({ host, settings, log, version: '0.0.0' });
  const activities = { ...createControlActivities(client), ...createBillingActivities({ guests: createBillingGuests(session) }) };
  const workers = await Promise.all([
    Worker.create({
      connection,
      taskQueue: CONTROL_QUEUE,
      workflowBundle: await workflowBundle(),
      activities,
      maxCachedWorkflows: 2_000,
      reuseV8Context: true,
    }),
    Worker.create({ connection, taskQueue: dom0Queue(settings.host), activities: steps.short, maxConcurrentActivityTaskExecutions: 20 }),
    Worker.create({ connection, taskQueue: dom0BulkQueue(settings.host), activities: steps.bulk, maxConcurrentActivityTaskExecutions: 20 }),
  ]);
  const runs = workers.map((worker) => worker.run());
  await registerThisDom0(client, { host, settings, log, version: '0.0.0' });
  return async () => {
    for (const worker of workers) worker.shutdown();
    await Promise.all(runs);
  };
}

async function startGateway(address: string): Promise<StormGateway> {
  const directory = mkdtempSync(join(tmpdir(), 'storm-'));
  writeFileSync(join(directory, 'stripe'), `${STRIPE_SECRET}\n`, { mode: 0o600 });
  writeFileSync(join(directory, 'signup'), `${SIGNUP_SECRET}\n`, { mode: 0o600 });
  writeFileSync(join(directory, 'prices.yaml'), 'prices: {price_small: small, price_medium: medium}\n');
  const port = await freePort();
  const options = [
    ['--address', address],
    ['--stripe-secret-file', join(directory, 'stripe')],
    ['--signup-secret-file', join(directory, 'signup')],
    ['--prices', join(directory, 'prices.yaml')],
    ['--answer-within', ANSWER_MS],
  ].flat();
  const log = join(directory, 'gateway.log');
  let peak = 0;
  let running: ServerProcess | undefined;
  const measure = (): void => {
    if (running !== undefined && isServerAlive(running)) peak = Math.max(peak, highWater(running.pid));
  };
  const start = async (): Promise<void> => {
    running = await startGatewayProcess(port, options, log);
  };
  await start();
  return {
    port,
    log,
    killAndRestart: async () => {
      measure();
      if (running !== undefined) process.kill(running.pid, 'SIGKILL');
      await start();
    },
    peakBytes: () => {
      measure();
      return peak;
    },
    stop: async () => {
      if (running !== undefined) await stopServer(running);
      rmSync(directory, { recursive: true, force: true });
    },
  };
}

/** VmHWM of proc(5), in bytes. */
function highWater(pid: number): number {
  const [, kilobytes = '0'] = /^VmHWM:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8')) ?? [];
  return Number(kilobytes) * 1_024;
}
