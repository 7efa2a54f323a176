/** The dom0 worker: activities only, on the two queues of one dom0. */
import { setTimeout as sleep } from 'node:timers/promises';
import { Client } from '@temporalio/client';
import { Worker, type NativeConnection, type WorkerOptions } from '@temporalio/worker';
import { createDom0Activities } from '../activities/dom0/activities.ts';
import { createHost, type AttachableHost } from '../system/host.ts';
import { closeSessions, createSessions } from '../activities/dom0/browser-sessions.ts';
import { GuestLocks } from '../activities/dom0/locks.ts';
import type { Dom0Context } from '../activities/dom0/step.ts';
import { findEndpoint, type Endpoint, type EndpointOptions } from '../client/config.ts';
import { createPayloadCodec } from '../client/codec/codec.ts';
import { workerIdentity } from '../client/dom0s/register.ts';
import { createReadiness } from '../client/readiness.ts';
import { toGuestflowError } from '../client/failures.ts';
import { withReason } from '../client/explain-unreachable.ts';
import { GuestflowError } from '../contract/errors.ts';
import { dom0BulkQueue, dom0Queue } from '../contract/names.ts';
import { connectWithRetry } from './connect.ts';
import { logCodec, workerDataConverter } from './data-converter.ts';
import type { Dom0WorkerSettings } from './dom0-settings.ts';
import { Fence, thisMachine } from './fence.ts';
import { installRuntime, type Logger } from './logger.ts';
import type { WhyNotReady } from '../system/http/health.ts';
import type { Tracing } from '../system/tracing/tracing.ts';
import { tryMachineLock } from '../system/machine-lock.ts';
import { registerThisDom0, untilForgotten } from './registration.ts';
import { runWorkers, whyNoWork } from './run-workers.ts';
import { renewWhenDue } from './renewals.ts';
import { countTraffic, type TrafficOptions } from './traffic.ts';
import { tracedActivities } from './traces.ts';
import { wakeGuests } from './wake.ts';
import { watchDomains } from './watch.ts';
import packageJson from '../package.json' with { type: 'json' };

/** How to run a dom0 worker. */
export interface Dom0WorkerOptions extends EndpointOptions {
  readonly settings: Dom0WorkerSettings;
  /** Stops it: a step that runs has `settings.shutdownGraceSeconds` to end. */
  readonly signal: AbortSignal;
  readonly logger: Logger;
  /** The dom0. Default: this machine. */
  readonly host?: AttachableHost;
  /** `host` lives in this process: another process may run a worker for a dom0 of the same name. Default: false. */
  readonly isSimulated?: boolean;
  /** Identifies this machine among others that say they are this dom0. Default: made of its machine id and its firmware's id. */
  readonly machine?: string;
  /** Whether it tells guests when their domains are gone. Default: true. */
  readonly watchesDomains?: boolean;
  /** Whether it counts the traffic of guests. Default: as `watchesDomains`. */
  readonly countsTraffic?: boolean;
  /** Whether it has golden images renewed that are due. Default: as `watchesDomains`. */
  readonly renewsGolden?: boolean;
  /** Told each minute what was counted of the guests' traffic. */
  readonly onTraffic?: TrafficOptions['onCounted'];
  /** Milliseconds between looks whether Temporal still knows of this dom0. Default: 60 000. */
  readonly lookAgainMs?: number;
  /** The reader of guests' file systems, as a CommonJS program. Default: no backup is opened to look at its files. */
  readonly reader?: (() => Promise<Uint8Array>) | undefined;
  /** Called when it polls, with what says from then on why it cannot do its work. */
  readonly onReady?: ((whyNot: WhyNotReady) => void) | undefined;
  /** Where the SDK serves its metrics, `127.0.0.1:PORT`. Default: nowhere. */
  readonly sdkMetricsAddress?: string | undefined;
  /** Traces of this process. Default: none are written. */
  readonly tracing?: Tracing | undefined;
  /** Milliseconds after which it gives up reaching Temporal. Default: never. */
  readonly giveUpAfterMs?: number | undefined;
}

/** If no control worker takes the registration within this time, the log says so. */
const REGISTER_MS = 60_000;
/** How often it looks whether Temporal still knows of it. */
const LOOK_AGAIN_MS = 60_000;
/** Short steps at a time. */
const SHORT_SLOTS = 4;
/** After the grace time, how long the process waits for steps that ignore their cancellation. */
const FORCE_AFTER_GRACE_S = 30;

/** Options that both workers of a dom0 share. */
function common(
  settings: Dom0WorkerSettings,
): Pick<WorkerOptions, 'maxHeartbeatThrottleInterval' | 'shutdownGraceTime' | 'shutdownForceTime'> {
  return {
    // Cancellation reaches a step with its next heartbeat that is sent; the SDK's 60 s are too long to wait.
    maxHeartbeatThrottleInterval: '8s',
    shutdownGraceTime: settings.shutdownGraceSeconds * 1_000,
    shutdownForceTime: (settings.shutdownGraceSeconds + FORCE_AFTER_GRACE_S) * 1_000,
  };
}

/**
 * Runs the worker of a dom0 until the signal fires.
 *
 * @throws GuestflowError `Busy` when this machine runs a worker for the same dom0 already (two of them would get in each other's way on its
 * disks), or when another machine is that dom0, from the start or later; `Unreachable` when Temporal was not reached within `giveUpAfterMs`.
 */
export async function runDom0Worker(options: Dom0WorkerOptions): Promise<void> {
  const { settings, logger } = options;
  const lock = await tryMachineLock(
    options.isSimulated === true ? `dom0/${settings.host}/${String(process.pid)}` : `dom0/${settings.host}`,
  );
  if (lock === undefined) {
    throw new GuestflowError('Busy', `A worker for the dom0 ${settings.host} runs on this machine already.`, {
      mend: 'Stop it first: systemctl stop guestflow-dom0, or end the guestflow process that runs it.',
    });
  }
  try {
    installRuntime(logger, options.sdkMetricsAddress);
    await connectAndRun(options);
  } finally {
    await lock.release();
  }
}

/** If a registration takes longer than this, it waits for a control worker, and the worker begins to poll meanwhile. */
const FIRST_WORD_MS = 10_000;

async function connectAndRun(options: Dom0WorkerOptions): Promise<void> {
  const { settings, signal, logger, host = createHost() } = options;
  const endpoint = await findEndpoint({ ...options, codecKeyFile: options.codecKeyFile ?? settings.codecKeyFile });
  logCodec(endpoint, logger);
  const connection = await connectWithRetry(endpoint, { signal, logger, giveUpAfterMs: options.giveUpAfterMs });
  if (connection === undefined) return;
  const client = new Client({ connection, namespace: endpoint.namespace, dataConverter: workerDataConverter(endpoint) });
  const machine = options.machine ?? (await thisMachine());
  const ended = new AbortController();
  const over = AbortSignal.any([signal, ended.signal]);
  let replaced: GuestflowError | undefined;
  const stopFor = (error: GuestflowError): void => {
    replaced ??= error;
    ended.abort();
  };
  try {
    let onRegistered = (): void => undefined;
    const isRegistered = new Promise<void>((resolve) => {
      onRegistered = resolve;
    });
    const registered = stayRegistered(client, { options, endpoint, host, machine, signal: over }, onRegistered).catch(stopFor);
    await Promise.race([isRegistered, registered, sleep(FIRST_WORD_MS, undefined, { ref: false })]);
    if (!over.aborted) {
      const fence = new Fence({ host: settings.host, machine, client, onLost: stopFor });
      const shared = { mayAct: () => fence.mustHold(), locks: new GuestLocks() };
      await wakeGuests({ host, settings, log: logger, signal: over, mayAct: shared.mayAct });
      const sessions = createSessions({ host, settings, log: logger, reader: options.reader });
      if (options.reader !== undefined) await sessions.backups.clean();
      const workers = await createWorkers(connection, { options, endpoint, host, machine, sessions, ...shared });
      // At once: a step that runs may take its time to end, and nobody would wait for a person who types.
      const closed = untilAborted(over).then(() => closeSessions(sessions));
      const watched = besides(options, {
        host,
        client,
        signal: over,
        watch: () => watchDomains({ client, host, dom0: settings.host, log: logger, signal: over, ...shared }),
      });
      await runWorkers(workers, over, () => {
        logger.info({ dom0: settings.host, bulkSlots: settings.bulkSlots }, 'dom0 worker polls');
        options.onReady?.(createReadiness({ client: () => client, also: () => whyNoWork(workers) }));
      }).finally(() => {
        ended.abort();
      });
      await Promise.all([watched, closed]);
    }
    await registered;
    if (replaced !== undefined) throw replaced;
  } finally {
    await connection.close();
  }
}

function untilAborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    signal.addEventListener('abort', () => resolve(), { once: true });
  });
}

interface Besides {
  readonly host: AttachableHost;
  readonly client: Client;
  readonly signal: AbortSignal;
  readonly watch: () => Promise<void>;
}

/** What it does beside steps. */
async function besides(
  { settings, logger, onTraffic, watchesDomains = true, countsTraffic = watchesDomains, renewsGolden = watchesDomains }: Dom0WorkerOptions,
  { host, client, signal, watch }: Besides,
): Promise<void> {
  const renew = (): Promise<void> => renewWhenDue({ client, host, settings, log: logger, signal });
  const count = (): Promise<void> => countTraffic({ host, settings, log: logger, signal, onCounted: onTraffic });
  await Promise.all([watchesDomains ? watch() : undefined, countsTraffic ? count() : undefined, renewsGolden ? renew() : undefined]);
}

interface Machine {
  readonly options: Dom0WorkerOptions;
  readonly endpoint: Endpoint;
  readonly host: AttachableHost;
  readonly machine: string;
}

async function createWorkers(
  connection: NativeConnection,
  {
    options: { settings, logger, tracing },
    endpoint,
    host,
    machine,
    ...shares
  }: Machine & Required<Pick<Dom0Context, 'mayAct' | 'locks' | 'sessions'>>,
): Promise<Worker[]> {
  const activities = createDom0Activities({ host, settings, log: logger, version: packageJson.version, ...shares });
  const shared = {
    connection,
    namespace: endpoint.namespace,
    identity: workerIdentity(settings.host, machine),
    dataConverter: workerDataConverter(endpoint),
    ...common(settings),
    ...tracedActivities(tracing),
  };
  const short = { taskQueue: dom0Queue(settings.host), activities: activities.short, maxConcurrentActivityTaskExecutions: SHORT_SLOTS };
  const bulk = {
    taskQueue: dom0BulkQueue(settings.host),
    activities: activities.bulk,
    maxConcurrentActivityTaskExecutions: settings.bulkSlots,
  };
  return await Promise.all([short, bulk].map((own) => Worker.create({ ...shared, ...own })));
}

/** Registers, and again whenever Temporal knows nothing of it any more: its database may be a new one. */
async function stayRegistered(
  client: Client,
  machine: Machine & { readonly signal: AbortSignal },
  onRegistered: () => void,
): Promise<void> {
  const { options, signal } = machine;
  while (!signal.aborted) {
    await register(client, machine);
    onRegistered();
    await untilForgotten(client, options.settings.host, { everyMs: options.lookAgainMs ?? LOOK_AGAIN_MS, signal });
  }
}

/**
 * Registers, and waits for a control worker for as long as it takes.
 *
 * @throws GuestflowError `Busy` if another machine is this dom0. Any other failure is tried again.
 */
async function register(
  client: Client,
  { options, endpoint, host, machine, signal }: Machine & { readonly signal: AbortSignal },
): Promise<void> {
  const { logger, settings } = options;
  const stopped = new Promise<void>((resolve) => {
    signal.addEventListener('abort', () => {
      resolve();
    });
  });
  for (let pauseMs = 1_000; !signal.aborted; pauseMs = Math.min(pauseMs * 2, 60_000)) {
    try {
      // A registration that still waits for a control worker must not delay the end of this worker.
      const registering = (): Promise<void> =>
        registerThisDom0(client, { host, settings, log: logger, version: packageJson.version, machine });
      await Promise.race([client.withDeadline(Date.now() + REGISTER_MS, registering), stopped]);
      return;
    } catch (error) {
      if (error instanceof GuestflowError && error.type === 'Busy') throw error;
      const subject = `dom0 ${settings.host}`;
      const codec = createPayloadCodec(endpoint.codecKeys);
      const { message } = await withReason(toGuestflowError(error, subject, endpoint.address), subject, { client, codec });
      logger.warn({ reason: message, retryInMs: pauseMs }, 'the dom0 could not be registered; trying again');
      await sleep(pauseMs, undefined, { signal }).catch(() => undefined);
    }
  }
}
