/** The dom0 worker: activities only, on the two queues of one dom0. */
import { setTimeout as sleep } from 'node:timers/promises';
import { Client } from '@temporalio/client';
import { Worker, type NativeConnection, type WorkerOptions } from '@temporalio/worker';
import { createDom0Activities } from '../activities/dom0.ts';
import { createHost, type Host } from '../activities/host/host.ts';
import { findEndpoint, type Endpoint, type EndpointOptions } from '../client/config.ts';
import { createPayloadCodec } from '../client/codec/codec.ts';
import { toGuestflowError } from '../client/failures.ts';
import { withReason } from '../client/stuck.ts';
import { GuestflowError } from '../contract/errors.ts';
import { dom0BulkQueue, dom0Queue } from '../contract/names.ts';
import { connectWithRetry } from './connect.ts';
import { logCodec, workerDataConverter } from './data-converter.ts';
import type { Dom0WorkerSettings } from './dom0-settings.ts';
import { installRuntime, type Logger } from './logger.ts';
import { tryMachineLock } from './machine-lock.ts';
import { registerThisDom0 } from './registration.ts';
import { runWorkers } from './run-workers.ts';
import { watchDomains } from './watch.ts';
import packageJson from '../package.json' with { type: 'json' };

/** How to run a dom0 worker. */
export interface Dom0WorkerOptions extends EndpointOptions {
  readonly settings: Dom0WorkerSettings;
  /** Stops it: a step that runs has `settings.shutdownGraceSeconds` to end. */
  readonly signal: AbortSignal;
  readonly logger: Logger;
  /** The dom0. Default: this machine. */
  readonly host?: Host;
  /** Run once after connecting, beside the work, and again with growing pauses until it succeeds. Default: registers the dom0. */
  readonly onConnected?: ((client: Client) => Promise<void>) | undefined;
  /** Whether it tells guests when their domains are gone. Default: true. */
  readonly watchesDomains?: boolean;
  /** Called when it polls. */
  readonly onReady?: (() => void) | undefined;
  /** Milliseconds after which it gives up reaching Temporal. Default: never. */
  readonly giveUpAfterMs?: number | undefined;
}

/** How long the control workers have to take a registration before the log says that they do not. */
const REGISTER_MS = 60_000;
/** Short steps at a time. */
const SHORT_SLOTS = 4;
/** Between the end of the grace time and the moment when the process gives up on steps that ignore their cancellation. */
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
 * @throws GuestflowError `Busy` when this machine runs a worker for the same dom0 already: two of them would get in each other's way on its
 * disks; `Unreachable` when Temporal was not reached within `giveUpAfterMs`.
 */
export async function runDom0Worker(options: Dom0WorkerOptions): Promise<void> {
  const { settings, logger } = options;
  const lock = await tryMachineLock(`dom0/${settings.host}`);
  if (lock === undefined) {
    throw new GuestflowError('Busy', `A worker for the dom0 ${settings.host} runs on this machine already.`, {
      mend: 'Stop it first: systemctl stop guestflow-dom0, or end the guestflow process that runs it.',
    });
  }
  try {
    installRuntime(logger);
    await connectAndRun(options);
  } finally {
    await lock.release();
  }
}

async function connectAndRun(options: Dom0WorkerOptions): Promise<void> {
  const { settings, signal, logger } = options;
  const endpoint = await findEndpoint({ ...options, codecKeyFile: options.codecKeyFile ?? settings.codecKeyFile });
  logCodec(endpoint, logger);
  const connection = await connectWithRetry(endpoint, { signal, logger, giveUpAfterMs: options.giveUpAfterMs });
  if (connection === undefined) return;
  const ended = new AbortController();
  try {
    const workers = await createWorkers(connection, endpoint, options);
    const client = new Client({ connection, namespace: endpoint.namespace, dataConverter: workerDataConverter(endpoint) });
    const over = AbortSignal.any([signal, ended.signal]);
    const { host = createHost() } = options;
    const registered = register(client, endpoint, options, over);
    const watched = options.watchesDomains === false ? undefined : watchDomains({ client, host, log: logger, signal: over });
    await runWorkers(workers, signal, () => {
      logger.info({ dom0: settings.host, bulkSlots: settings.bulkSlots }, 'dom0 worker polls');
      options.onReady?.();
    }).finally(() => {
      ended.abort();
    });
    await registered;
    await watched;
  } finally {
    await connection.close();
  }
}

async function createWorkers(
  connection: NativeConnection,
  endpoint: Endpoint,
  { settings, logger, host = createHost() }: Dom0WorkerOptions,
): Promise<Worker[]> {
  const activities = createDom0Activities({ host, settings, log: logger, version: packageJson.version });
  const { namespace } = endpoint;
  const shared = { connection, namespace, dataConverter: workerDataConverter(endpoint), ...common(settings) };
  const short = { taskQueue: dom0Queue(settings.host), activities: activities.short, maxConcurrentActivityTaskExecutions: SHORT_SLOTS };
  const bulk = {
    taskQueue: dom0BulkQueue(settings.host),
    activities: activities.bulk,
    maxConcurrentActivityTaskExecutions: settings.bulkSlots,
  };
  return await Promise.all([short, bulk].map((own) => Worker.create({ ...shared, ...own })));
}

/** Registers, however long it takes until somebody listens; never fails. */
async function register(client: Client, endpoint: Endpoint, options: Dom0WorkerOptions, signal: AbortSignal): Promise<void> {
  const { logger, settings, host = createHost() } = options;
  const onConnected =
    options.onConnected ??
    ((connected: Client) => registerThisDom0(connected, { host, settings, log: logger, version: packageJson.version }));
  const stopped = new Promise<void>((resolve) => {
    signal.addEventListener('abort', () => {
      resolve();
    });
  });
  for (let pauseMs = 1_000; !signal.aborted; pauseMs = Math.min(pauseMs * 2, 60_000)) {
    try {
      // Registration waits for a control worker, which must not hold up the end of this one.
      await Promise.race([client.withDeadline(Date.now() + REGISTER_MS, () => onConnected(client)), stopped]);
      return;
    } catch (error) {
      const subject = `dom0 ${settings.host}`;
      const codec = createPayloadCodec(endpoint.codecKeys);
      const { message } = await withReason(toGuestflowError(error, subject, endpoint.address), subject, { client, codec });
      logger.warn({ reason: message, retryInMs: pauseMs }, 'the dom0 could not be registered; trying again');
      await sleep(pauseMs, undefined, { signal }).catch(() => undefined);
    }
  }
}
