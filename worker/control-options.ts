/** What a control worker is, wherever it runs: all workflows, and the activities that talk to Temporal and to billing. */
import type { Client } from '@temporalio/client';
import type { ActivityInterceptorsFactory, WorkerOptions } from '@temporalio/worker';
import { createBillingActivities, type Messenger } from '../activities/control/billing/activities.ts';
import { createBillingGuests } from '../activities/control/billing/guests.ts';
import { createControlActivities } from '../activities/control/activities.ts';
import { createMessenger } from '../activities/control/notify/messenger.ts';
import type { Operators } from '../activities/control/notify/operators.ts';
import { loadNotify } from '../activities/control/notify/receiver.ts';
import { createWatchActivities } from '../activities/control/watch/activities.ts';
import type { Endpoint } from '../client/config.ts';
import { sessionOver } from '../client/session.ts';
import { CONTROL_QUEUE } from '../contract/names.ts';
import { clientOfTheActivity } from './activity-client.ts';
import type { Tracing } from '../system/tracing/tracing.ts';
import { prebuiltBundle, TRACE_INTERCEPTOR_PATH, WORKFLOWS_PATH } from './bundle.ts';
import { workerDataConverter } from './data-converter.ts';
import { tracesActivities, traceSinks } from './traces.ts';

/** What a control worker is, wherever it runs. */
export type ControlOptions = Pick<
  WorkerOptions,
  | 'activities'
  | 'interceptors'
  | 'sinks'
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

/** What a control worker has that is no option of Temporal's. */
export interface ControlParts {
  /** Tells others of guests, and operators of what goes wrong. Default: nobody is told. */
  readonly notify?: NotifyParts | undefined;
  /** Traces of this process. Default: none are written. A bundle that is named for it must tell them. */
  readonly tracing?: Tracing | undefined;
  /** File of the workflow bundle. Default: as `prebuiltBundle()` finds it. */
  readonly bundle?: string | undefined;
}

/**
 * The options of a control worker, its activities among them, without its connection and version: the same for a long-lived process and for a
 * Temporal Serverless Worker. Reads files, changes nothing.
 *
 * @param endpoint of `findEndpoint`, which has loaded the codec keys.
 * @throws GuestflowError InvalidInput when the bundle that was named does not suit the codec
 */
export function controlOptions(endpoint: Endpoint, { notify = {}, bundle, tracing }: ControlParts = {}): ControlOptions {
  const isTraced = tracing !== undefined;
  const codePath = prebuiltBundle({ encodesFailures: endpoint.codecKeys.length > 0, isTraced, named: bundle });
  const client = clientOfTheActivity();
  const session = sessionOver(client, endpoint);
  const guests = createBillingGuests(session);
  return {
    taskQueue: CONTROL_QUEUE,
    activities: {
      ...createControlActivities(client),
      ...createBillingActivities({ guests, ...notify }),
      ...createWatchActivities(session, notify.operators),
    },
    interceptors: {
      activity: [...(isTraced ? [tracesActivities(tracing)] : []), endsCallsWithItsWorker(client)],
      ...(isTraced && codePath === undefined ? { workflowModules: [TRACE_INTERCEPTOR_PATH] } : {}),
    },
    ...(isTraced ? { sinks: traceSinks(tracing) } : {}),
    dataConverter: workerDataConverter(endpoint),
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

/** Who is told. */
export interface NotifyParts {
  readonly messenger?: Messenger | undefined;
  readonly operators?: Operators | undefined;
}

/**
 * Who is told of guests and of what goes wrong, as the file that `GUESTFLOW_NOTIFY` names says; nobody when it is not set.
 *
 * @throws GuestflowError InvalidInput when that file is not good.
 */
export async function loadNotifyParts(env: NodeJS.ProcessEnv = process.env): Promise<NotifyParts> {
  const file = env['GUESTFLOW_NOTIFY'] ?? '';
  if (file === '') return {};
  const { receiver, operators } = await loadNotify(file);
  return { operators, ...(receiver === undefined ? {} : { messenger: createMessenger(receiver) }) };
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
