/** The control worker as a long-lived process. */
import { Client } from '@temporalio/client';
import { Worker } from '@temporalio/worker';
import { findEndpoint, type Endpoint, type EndpointOptions } from '../client/config.ts';
import { createReadiness } from '../client/readiness.ts';
import { startWatch } from '../client/watch.ts';
import { sessionOver } from '../client/session.ts';
import { CONTROL_QUEUE } from '../contract/names.ts';
import { connectWithRetry } from './connect.ts';
import { controlOptions, loadNotifyParts } from './control-options.ts';
import { logCodec, workerDataConverter } from './data-converter.ts';
import { deploymentOptions } from './deployment.ts';
import { readFleet } from '../client/fleet.ts';
import { addFleetMetrics } from './fleet-metrics.ts';
import { installRuntime, type Logger } from './logger.ts';
import { runWorkers, whyNoWork } from './run-workers.ts';
import { serveProcess, type ServedProcess } from './served-process.ts';
import { defined } from '../contract/defined.ts';
import { createTracing, type Tracing } from '../system/tracing/tracing.ts';

/** How to run a control worker. */
export interface ControlWorkerOptions extends EndpointOptions {
  /** Stops the worker; activities that run have ten seconds to end. */
  readonly signal: AbortSignal;
  readonly logger: Logger;
  /** Called when it polls. */
  readonly onReady?: (() => void) | undefined;
  /** Port of health and metrics on 127.0.0.1. Default: none. */
  readonly metricsPort?: number | undefined;
  /** Milliseconds after which it gives up reaching Temporal. Default: never. */
  readonly giveUpAfterMs?: number | undefined;
}

/**
 * Runs a control worker until the signal fires.
 *
 * @throws GuestflowError `Unreachable` when Temporal was not reached within `giveUpAfterMs`; `InvalidInput` when the file that
 *   `GUESTFLOW_NOTIFY` names is not good.
 */
export async function runControlWorker(options: ControlWorkerOptions): Promise<void> {
  const tracing = await createTracing('guestflow-control');
  const served = await serveProcess(options.metricsPort);
  try {
    await connectAndRun(options, { served, tracing });
  } finally {
    await Promise.all([served?.close(), tracing?.close()]);
  }
}

interface Beside {
  readonly served: ServedProcess | undefined;
  readonly tracing: Tracing | undefined;
}

async function connectAndRun(options: ControlWorkerOptions, { served, tracing }: Beside): Promise<void> {
  const { signal, logger } = options;
  installRuntime(logger, served?.sdkAddress);
  const endpoint = await findEndpoint(options);
  const version = deploymentOptions();
  logCodec(endpoint, logger);
  const connection = await connectWithRetry(endpoint, { signal, logger, giveUpAfterMs: options.giveUpAfterMs });
  if (connection === undefined) return;
  try {
    const notify = await loadNotifyParts();
    const worker = await Worker.create({
      ...controlOptions(endpoint, { notify, tracing }),
      connection,
      namespace: endpoint.namespace,
      ...defined({ workerDeploymentOptions: version }),
    });
    const client = new Client({ connection, namespace: endpoint.namespace, dataConverter: workerDataConverter(endpoint) });
    if (served !== undefined) tell(served, { worker, client, endpoint });
    // It ends by itself when nobody wants to be told any more.
    if ((notify.operators?.channels.length ?? 0) > 0) await startWatch(client);
    await runWorkers([worker], signal, () => {
      logger.info({ taskQueue: CONTROL_QUEUE }, 'control worker polls');
      options.onReady?.();
    });
  } finally {
    await connection.close();
  }
}

interface Connected {
  readonly worker: Worker;
  readonly client: Client;
  readonly endpoint: Endpoint;
}

/** Serves the fleet's metrics, and whether it can do its work. */
function tell({ registry, setReadiness }: ServedProcess, { worker, client, endpoint }: Connected): void {
  const session = sessionOver(client, endpoint);
  addFleetMetrics(registry, () => readFleet(session));
  setReadiness(createReadiness({ client: () => client, also: () => whyNoWork([worker]) }));
}
