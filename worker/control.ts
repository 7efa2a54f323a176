/** The control worker as a long-lived process. */
import { Worker } from '@temporalio/worker';
import { findEndpoint, type EndpointOptions } from '../client/config.ts';
import { CONTROL_QUEUE } from '../contract/names.ts';
import { connectWithRetry } from './connect.ts';
import { controlOptions, loadMessenger } from './control-options.ts';
import { logCodec } from './data-converter.ts';
import { deploymentOptions } from './deployment.ts';
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
  try {
    const worker = await Worker.create({
      ...controlOptions(endpoint, { messenger: await loadMessenger() }),
      connection,
      namespace: endpoint.namespace,
      ...defined({ workerDeploymentOptions: version }),
    });
    await runWorkers([worker], signal, () => {
      logger.info({ taskQueue: CONTROL_QUEUE }, 'control worker polls');
      options.onReady?.();
    });
  } finally {
    await connection.close();
  }
}
