/** The control worker: all workflows, and the activities that talk to Temporal and to billing. */
import { Client } from '@temporalio/client';
import { Worker, type ActivityInterceptorsFactory, type WorkerDeploymentOptions, type WorkerOptions } from '@temporalio/worker';
import { createBillingActivities } from '../activities/control/billing/activities.ts';
import { createControlActivities } from '../activities/control/activities.ts';
import { findEndpoint, type Endpoint, type EndpointOptions } from '../client/config.ts';
import { GuestflowError } from '../contract/errors.ts';
import { CONTROL_QUEUE } from '../contract/names.ts';
import { createBillingGuests } from '../activities/control/billing/guests.ts';
import { createMessenger } from '../activities/control/notify/messenger.ts';
import { loadReceiver } from '../activities/control/notify/receiver.ts';
import { sessionOver } from '../client/session.ts';
import { prebuiltBundle, WORKFLOWS_PATH } from './bundle.ts';
import { connectWithRetry } from './connect.ts';
import { logCodec, workerDataConverter } from './data-converter.ts';
import { installRuntime, type Logger } from './logger.ts';
import { runWorkers } from './run-workers.ts';
import { defined } from '../contract/defined.ts';

/** What a control worker is, wherever it runs. */
export type ControlOptions = Pick<
  WorkerOptions,
  | 'taskQueue'
  | 'workflowBundle'
  | 'workflowsPath'
  | 'dataConverter'
  | 'maxCachedWorkflows'
  | 'maxConcurrentWorkflowTaskExecutions'
  | 'maxConcurrentActivityTaskExecutions'
  | 'reuseV8Context'
  | 'stickyQueueScheduleToStartTimeout'
  | 'shutdownGraceTime'
  | 'shutdownForceTime'
> & { readonly taskQueue: string };

/**
 * The options of a control worker, without its connection, activities and version: the same for a long-lived process and for a
 * Temporal Serverless Worker. Reads files, changes nothing.
 *
 * @param endpoint of `findEndpoint`, which has loaded the codec keys. Default: none.
 * @throws GuestflowError InvalidInput when the bundle that the environment names does not suit the codec
 */
export function controlOptions({ codecKeys }: Pick<Endpoint, 'codecKeys'> = { codecKeys: [] }): ControlOptions {
  const codePath = prebuiltBundle({ encodesFailures: codecKeys.length > 0 });
  return {
    taskQueue: CONTROL_QUEUE,
    dataConverter: workerDataConverter({ codecKeys }),
    ...(codePath === undefined ? { workflowsPath: WORKFLOWS_PATH } : { workflowBundle: { codePath } }),
    reuseV8Context: true,
    // About 0.1 MB each.
    maxCachedWorkflows: 500,
    maxConcurrentWorkflowTaskExecutions: 40,
    maxConcurrentActivityTaskExecutions: 20,
    // If a worker is killed, its workflows wait this long before another worker takes them.
    stickyQueueScheduleToStartTimeout: '3s',
    shutdownGraceTime: '10s',
    shutdownForceTime: '20s',
  };
}

/**
 * The version of a worker deployment, from `GUESTFLOW_DEPLOYMENT` and `GUESTFLOW_BUILD_ID`; undefined when neither is set.
 *
 * @throws GuestflowError `InvalidInput` when only one of them is.
 */
export function deploymentOptions(env: NodeJS.ProcessEnv = process.env): WorkerDeploymentOptions | undefined {
  const deploymentName = env['GUESTFLOW_DEPLOYMENT'] ?? '';
  const buildId = env['GUESTFLOW_BUILD_ID'] ?? '';
  if (deploymentName === '' && buildId === '') return undefined;
  if (deploymentName === '' || buildId === '') {
    const field = deploymentName === '' ? 'GUESTFLOW_DEPLOYMENT' : 'GUESTFLOW_BUILD_ID';
    throw new GuestflowError(
      'InvalidInput',
      `${field} is not set: a versioned worker needs both GUESTFLOW_DEPLOYMENT and GUESTFLOW_BUILD_ID.`,
      { field },
    );
  }
  // Each workflow declares its own behaviour; the server requires a default for those that do not.
  return { version: { deploymentName, buildId }, useWorkerVersioning: true, defaultVersioningBehavior: 'PINNED' };
}

/**
 * Ends an activity's calls to Temporal when the activity is cancelled. A stopping worker would otherwise wait for answers of workflows that it no longer
 * runs, until the calls' time limits. This way, the activity is tried again at once, by another worker.
 */
export function endsCallsWithItsWorker(client: Client): ActivityInterceptorsFactory {
  return (context) => ({
    inbound: {
      // A call that begins after the signal fired does not notice it (SDK 1.24): hence the race.
      execute: async (input, next) =>
        Promise.race([client.withAbortSignal(context.cancellationSignal, async () => next(input)), context.cancelled]),
    },
  });
}

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
    const notify = process.env['GUESTFLOW_NOTIFY'] ?? '';
    const messenger = notify === '' ? undefined : createMessenger(await loadReceiver(notify));
    const dataConverter = workerDataConverter(endpoint);
    const client = new Client({ connection, namespace: endpoint.namespace, dataConverter });
    const guests = createBillingGuests(sessionOver(client, endpoint));
    const worker = await Worker.create({
      ...controlOptions(endpoint),
      connection,
      namespace: endpoint.namespace,
      activities: { ...createControlActivities(client), ...createBillingActivities({ guests, messenger }) },
      interceptors: { activity: [endsCallsWithItsWorker(client)] },
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
