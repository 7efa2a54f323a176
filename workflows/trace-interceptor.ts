/**
 * Tells the worker when an operation, and each activity that it asked for, began and ended. It is in the bundle of a worker that traces only, and makes no
 * command: a history is the same with it and without.
 */
import { proxySinks, TemporalFailure, workflowInfo, type Sinks, type WorkflowInterceptorsFactory } from '@temporalio/workflow';
import { hasTrace, type WorkflowSpan } from '../contract/traces.ts';
import { rootFailure } from './saga/operation.ts';

export interface TraceSinks extends Sinks {
  traces: {
    readonly workflow: (span: WorkflowSpan) => void;
    readonly activity: (span: WorkflowSpan) => void;
  };
}

export const interceptors: WorkflowInterceptorsFactory = () => {
  const { workflowId, workflowType } = workflowInfo();
  if (!hasTrace(workflowId)) return {};
  const { traces } = proxySinks<TraceSinks>();
  const timed = async <T>(tell: (span: WorkflowSpan) => void, name: string, work: () => Promise<T>): Promise<T> => {
    const startMs = Date.now();
    try {
      const result = await work();
      tell({ name, startMs, endMs: Date.now() });
      return result;
    } catch (error) {
      // Anything else is not an end of the workflow's: it goes on as another run, or its worker gives it up.
      if (error instanceof TemporalFailure) tell({ name, startMs, endMs: Date.now(), failure: rootFailure(error).type });
      throw error;
    }
  };
  return {
    inbound: [{ execute: (input, next) => timed(traces.workflow, workflowType, () => next(input)) }],
    outbound: [{ scheduleActivity: (input, next) => timed(traces.activity, input.activityType, () => next(input)) }],
  };
};
