/** A Temporal server and a control worker for workflow tests, with activities that the test scripts. */
import { TestWorkflowEnvironment } from '@temporalio/testing';
import { DefaultLogger, Runtime, Worker, type WorkflowBundleWithSourceMap } from '@temporalio/worker';
import { defineSearchAttributeKey } from '@temporalio/common';
import { CONTROL_QUEUE, dom0BulkQueue, dom0Queue, SEARCH_ATTRIBUTES } from '../../contract/names.ts';
import { defaultCacheDir } from '../../worker/cache-dir.ts';
import { DISPOSABLE, ONE_PROCESS } from '../../worker/embedded-temporal.ts';
import { findTemporalBinary } from '../../worker/temporal-binary.ts';
import { bundleWorkflows } from '../../worker/bundle.ts';

/** Name of the dom0 whose queues the tests serve. */
export const DOM0 = 'xen1';

export type AnyActivities = Record<string, (...args: never[]) => Promise<unknown>>;

/**
 * Starts a dev server with guestflow's search attributes.
 *
 * @param extraArgs of its command line. Default: none.
 */
export async function startServer(extraArgs: string[] = []): Promise<TestWorkflowEnvironment> {
  // A second file of the same process finds the runtime installed.
  try {
    // A signal is this process's own affair.
    Runtime.install({ shutdownSignals: [], logger: new DefaultLogger('ERROR'), telemetryOptions: { logging: { filter: 'ERROR' } } });
  } catch {
    // Installed already.
  }
  // The server inherits it.
  Object.assign(process.env, DISPOSABLE.env);
  const { path } = await findTemporalBinary({ cacheDir: defaultCacheDir() });
  return TestWorkflowEnvironment.createLocal({
    server: {
      executable: { type: 'existing-path', path },
      // What it says of its overload and of workers that go is what tests bring about.
      log: { format: 'pretty', level: 'never' },
      searchAttributes: Object.values(SEARCH_ATTRIBUTES).map((name) => defineSearchAttributeKey(name, 'KEYWORD')),
      extraArgs: [...ONE_PROCESS, ...extraArgs],
    },
  });
}

let bundle: Promise<{ codePath: string }> | undefined;

/** The workflow bundle, made once. */
export async function workflowBundle(): Promise<{ codePath: string } | WorkflowBundleWithSourceMap> {
  bundle ??= bundleWorkflows();
  return bundle;
}

/** Runs `work` with workers for all queues; `activities` serve every queue. `codePath`: of the bundle. Default: the one of production. */
export async function withWorkers<T>(
  environment: TestWorkflowEnvironment,
  activities: AnyActivities,
  work: () => Promise<T>,
  codePath?: string,
): Promise<T> {
  const { nativeConnection: connection } = environment;
  const control = await Worker.create({
    connection,
    taskQueue: CONTROL_QUEUE,
    workflowBundle: codePath === undefined ? await workflowBundle() : { codePath },
    activities,
  });
  const others = await Promise.all(
    [dom0Queue(DOM0), dom0BulkQueue(DOM0)].map((taskQueue) =>
      Worker.create({ connection, taskQueue, activities, maxHeartbeatThrottleInterval: '100ms' }),
    ),
  );
  return control.runUntil(async () => {
    const [first, second] = others;
    if (first === undefined || second === undefined) throw new Error('no workers');
    return first.runUntil(async () => second.runUntil(work()));
  });
}
