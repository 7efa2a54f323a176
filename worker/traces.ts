/** What a worker writes into traces: the operations of its workflows, their activities, and the tools of a dom0. */
import type { ActivityInterceptorsFactory, InjectedSinks, WorkerOptions } from '@temporalio/worker';
import { hasTrace, type WorkflowSpan } from '../contract/traces.ts';
import type { RunObserver } from '../system/run.ts';
import type { Tracing } from '../system/tracing/tracing.ts';
import type { TraceSinks } from '../workflows/trace-interceptor.ts';

/** What the trace interceptor of the workflows tells. A replay tells nothing. */
export function traceSinks(tracing: Tracing): InjectedSinks<TraceSinks> {
  const told =
    (isRoot: boolean) =>
    (info: { readonly workflowId: string }, { name, startMs, endMs, failure }: WorkflowSpan): void => {
      const workflow = info.workflowId;
      tracing.record({ name, startMs, endMs, failure, workflow, attributes: { workflow }, ...(isRoot ? { isRoot } : {}) });
    };
  return {
    traces: {
      workflow: { fn: told(true), callDuringReplay: false },
      activity: { fn: told(false), callDuringReplay: false },
    },
  };
}

/** A span for each attempt of an activity, in the trace of its workflow. */
export function tracesActivities(tracing: Tracing): ActivityInterceptorsFactory {
  return ({ info }) => ({
    inbound: {
      execute: (input, next) => {
        const workflow = info.workflowExecution?.workflowId ?? '';
        const attributes = { workflow, attempt: info.attempt, queue: info.taskQueue };
        return tracing.within({ name: info.activityType, attributes, workflow: hasTrace(workflow) ? workflow : undefined }, () =>
          next(input),
        );
      },
    },
  });
}

/** The same, as options of a worker that runs activities only. */
export function tracedActivities(tracing: Tracing | undefined): Pick<WorkerOptions, 'interceptors'> {
  return tracing === undefined ? {} : { interceptors: { activity: [tracesActivities(tracing)] } };
}

/** A span for each run of a tool, below the activity that runs it: its name, never its arguments. */
export function tracesTools(tracing: Tracing): RunObserver {
  return ({ tool, seconds, outcome }) => {
    const endMs = Date.now();
    tracing.record({ name: tool, startMs: endMs - seconds * 1_000, endMs, failure: outcome === 'ok' ? undefined : outcome });
  };
}

/** Tells several of each run of a tool. */
export function observers(...all: readonly RunObserver[]): RunObserver {
  return (run) => {
    for (const observe of all) observe(run);
  };
}
