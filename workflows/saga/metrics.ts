/** What workflows count, for the metrics of the control worker that runs them. Replays count nothing. */
import { metricMeter } from '@temporalio/workflow';
import { OPERATION_METRICS } from '../../contract/metrics.ts';

/** How an operation ended: `done`, or the type of its failure. */
export function countOperation(kind: string, result: string, seconds: number): void {
  const { operations, operationSeconds } = OPERATION_METRICS;
  metricMeter.createCounter(operations.name, undefined, operations.help).add(1, { kind, result });
  metricMeter.createHistogram(operationSeconds.name, 'float', undefined, operationSeconds.help).record(seconds, { kind });
}

/** How a step ended, and how long it took, its waits for a worker among that. */
export function timeStep(step: string, result: 'done' | 'failed', seconds: number): void {
  const { stepSeconds } = OPERATION_METRICS;
  metricMeter.createHistogram(stepSeconds.name, 'float', undefined, stepSeconds.help).record(seconds, { step, result });
}
