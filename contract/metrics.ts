/** Metrics that workflows count and control workers serve: their names, what they are, their buckets. Plain data: workflow code imports it. */

/** Seconds: from a step that has only to look, to a copy that takes a night. */
const BUCKETS = [0.5, 1, 2, 5, 10, 30, 60, 120, 300, 600, 1_800, 3_600, 7_200, 21_600];

/** Names as workflows say them. A counter's gets `_total` when it is served. */
export const OPERATION_METRICS = {
  operations: {
    name: 'guestflow_operations',
    help: 'Operations on guests that have ended, orders among them (kind provision), by kind and result: done, or the type of the failure',
  },
  operationSeconds: {
    name: 'guestflow_operation_seconds',
    help: 'How long operations on guests took, from their beginning on, by kind',
    buckets: BUCKETS,
  },
  stepSeconds: {
    name: 'guestflow_step_seconds',
    help: 'How long steps of operations took, with their waits for a worker and all attempts, by step and result',
    buckets: BUCKETS,
  },
} as const;
