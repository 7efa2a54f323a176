/** The control worker as a long-lived process. */
import { Client } from '@temporalio/client';
import { Worker, type NativeConnection } from '@temporalio/worker';
import { collectDefaultMetrics, Registry } from 'prom-client';
import { findEndpoint, type Endpoint, type EndpointOptions } from '../client/config.ts';
import { sessionOver } from '../client/session.ts';
import { CONTROL_QUEUE } from '../contract/names.ts';
import { connectWithRetry } from './connect.ts';
import { controlOptions, loadMessenger } from './control-options.ts';
import { logCodec, workerDataConverter } from './data-converter.ts';
import { deploymentOptions } from './deployment.ts';
import { serveHealth } from '../system/http/health.ts';
import type { HttpServer } from '../system/http/server.ts';
import { addFleetMetrics, readFleet } from './fleet-metrics.ts';
import { installRuntime, type Logger } from './logger.ts';
import { runWorkers } from './run-workers.ts';
import { defined } from '../contract/defined.ts';

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
  const { signal, logger } = options;
  installRuntime(logger);
  const endpoint = await findEndpoint(options);
  const version = deploymentOptions();
  logCodec(endpoint, logger);
  const connection = await connectWithRetry(endpoint, { signal, logger, giveUpAfterMs: options.giveUpAfterMs });
  if (connection === undefined) return;
  let isReady = false;
  const health = await serveFleet({ connection, endpoint, port: options.metricsPort }, () => isReady);
  try {
    const worker = await Worker.create({
      ...controlOptions(endpoint, { messenger: await loadMessenger() }),
      connection,
      namespace: endpoint.namespace,
      ...defined({ workerDeploymentOptions: version }),
    });
    await runWorkers([worker], signal, () => {
      logger.info({ taskQueue: CONTROL_QUEUE }, 'control worker polls');
      isReady = true;
      options.onReady?.();
    });
  } finally {
    await health?.close();
    await connection.close();
  }
}

interface Served {
  readonly connection: NativeConnection;
  readonly endpoint: Endpoint;
  readonly port: number | undefined;
}

/** Serves health and metrics, if a port is set. */
async function serveFleet({ connection, endpoint, port }: Served, isReady: () => boolean): Promise<HttpServer | undefined> {
  if (port === undefined) return undefined;
  const client = new Client({ connection, namespace: endpoint.namespace, dataConverter: workerDataConverter(endpoint) });
  const session = sessionOver(client, endpoint);
  const registry = new Registry();
  collectDefaultMetrics({ register: registry, prefix: 'guestflow_' });
  addFleetMetrics(registry, () => readFleet(session));
  return serveHealth(port, registry, isReady);
}
