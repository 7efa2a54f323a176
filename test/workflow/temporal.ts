/** A Temporal server and a control worker for workflow tests, with activities that the test scripts. */
import { Context } from '@temporalio/activity';
import { TestWorkflowEnvironment } from '@temporalio/testing';
import { DefaultLogger, Runtime, Worker, type WorkflowBundleWithSourceMap } from '@temporalio/worker';
import { ApplicationFailure, defineSearchAttributeKey } from '@temporalio/common';
import { CONTROL_QUEUE, dom0BulkQueue, dom0Queue, SEARCH_ATTRIBUTES } from '../../contract/names.ts';
import { defaultCacheDir } from '../../worker/cache-dir.ts';
import { DISPOSABLE, ONE_PROCESS } from '../../worker/embedded-temporal.ts';
import { findTemporalBinary } from '../../worker/temporal-binary.ts';
import { bundleWorkflows } from '../../worker/bundle.ts';

/** Name of the dom0 whose queues the tests serve. */
export const DOM0 = 'xen1';

export type AnyActivities = Record<string, (...args: never[]) => Promise<unknown>>;

/** The native library of this process says errors only, and leaves signals to the process. */
export function quietRuntime(): void {
  // A second file of the same process finds the runtime installed.
  try {
    // A signal is this process's own affair.
    Runtime.install({ shutdownSignals: [], logger: new DefaultLogger('ERROR'), telemetryOptions: { logging: { filter: 'ERROR' } } });
  } catch {
    // Installed already.
  }
}

/**
 * Starts a dev server with guestflow's search attributes.
 *
 * @param extraArgs of its command line. Default: none.
 */
export async function startServer(extraArgs: string[] = []): Promise<TestWorkflowEnvironment> {
  quietRuntime();
  // The server inherits it.
  Object.assign(process.env, DISPOSABLE.env);
  const { path } = await findTemporalBinary({ cacheDir: defaultCacheDir() });
  const environment = await TestWorkflowEnvironment.createLocal({
    server: {
      executable: { type: 'existing-path', path },
      // What it says of its overload and of workers that go is what tests bring about.
      log: { format: 'pretty', level: 'never' },
      searchAttributes: Object.values(SEARCH_ATTRIBUTES).map((name) => defineSearchAttributeKey(name, 'KEYWORD')),
      extraArgs: [...ONE_PROCESS, ...DISPOSABLE.settings, ...extraArgs],
    },
  });
  const end = environment.teardown.bind(environment);
  environment.teardown = async () => {
    await dismissCrew(environment);
    await end();
  };
  return environment;
}

let bundle: Promise<{ codePath: string }> | undefined;

/** The workflow bundle, made once. */
export async function workflowBundle(): Promise<{ codePath: string } | WorkflowBundleWithSourceMap> {
  bundle ??= bundleWorkflows();
  return bundle;
}

/** Workers for all queues, that run. */
interface Crew {
  /** What they do now. */
  activities: AnyActivities;
  stop(): Promise<void>;
}

/** Of each server, those that stay from one test to the next. */
const crews = new WeakMap<TestWorkflowEnvironment, Promise<Crew>>();

async function startCrew(
  { nativeConnection: connection }: TestWorkflowEnvironment,
  first: AnyActivities,
  codePath?: string,
): Promise<Crew> {
  const crew = { activities: first };
  /** Of every name: what the activities of now have under it. */
  const asked = async (...args: never[]): Promise<unknown> => {
    const { activityType } = Context.current().info;
    const activity = crew.activities[activityType];
    if (activity === undefined) throw ApplicationFailure.create({ type: 'NotFoundError', message: `no activity ${activityType} here` });
    return activity(...args);
  };
  const activities = { default: asked };
  const control = Worker.create({
    connection,
    taskQueue: CONTROL_QUEUE,
    workflowBundle: codePath === undefined ? await workflowBundle() : { codePath },
    activities,
  });
  const others = [dom0Queue(DOM0), dom0BulkQueue(DOM0)].map((taskQueue) =>
    Worker.create({ connection, taskQueue, activities, maxHeartbeatThrottleInterval: '100ms' }),
  );
  const workers = await Promise.all([control, ...others]);
  const over = Promise.all(workers.map((worker) => worker.run()));
  over.catch(() => undefined);
  return Object.assign(crew, {
    stop: async () => {
      for (const worker of workers) if (worker.getState() === 'RUNNING') worker.shutdown();
      await over;
    },
  });
}

async function dismissCrew(environment: TestWorkflowEnvironment): Promise<void> {
  const crew = crews.get(environment);
  crews.delete(environment);
  await (await crew)?.stop();
}

/**
 * Runs `work` with workers for all queues; `activities` serve every queue. The workers stay for the tests that follow: what a test needs no end of
 * them for, it need not pay for.
 *
 * @param codePath of the bundle, the same for all tests of a server. Default: the one of production
 */
export async function withKeptWorkers<T>(
  environment: TestWorkflowEnvironment,
  activities: AnyActivities,
  work: () => Promise<T>,
  codePath?: string,
): Promise<T> {
  const known = crews.get(environment);
  const starting = known ?? startCrew(environment, activities, codePath);
  crews.set(environment, starting);
  (await starting).activities = activities;
  return work();
}

/** Runs `work` with workers for all queues, of which none was there before, and none is there afterwards. */
export async function withWorkers<T>(environment: TestWorkflowEnvironment, activities: AnyActivities, work: () => Promise<T>): Promise<T> {
  await dismissCrew(environment);
  const crew = await startCrew(environment, activities);
  try {
    return await work();
  } finally {
    await crew.stop();
  }
}
