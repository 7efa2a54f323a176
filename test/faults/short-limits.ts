/** Stands in for `workflows/saga/time-limits.ts` in the fault tests: the same retries, in a fraction of the time. */
import type { ActivityOptions } from '@temporalio/workflow';
import * as real from '../../workflows/saga/time-limits.ts';

/** Retries follow each other at once; how many there are stays. */
function quick(options: ActivityOptions): ActivityOptions {
  return { ...options, retry: { ...options.retry, initialInterval: '20 milliseconds', maximumInterval: '100 milliseconds' } };
}

/** Longer than a step waits for its turn while many cases run at once. */
export const TAKEN_MS = 10_001;

export const HOST_CHANGE = quick(real.HOST_CHANGE);
export const HOST_CHANGE_PATIENCE: real.StartPatience = { count: 2, eachMs: TAKEN_MS };
export const LONG_COPY = quick(real.LONG_COPY);
export const LONG_COPY_PATIENCE: real.StartPatience = { count: real.LONG_COPY_PATIENCE.count, eachMs: 2 * TAKEN_MS };
export const UNDO = quick(real.UNDO);
export const UNDO_PATIENCE = { allMs: 4 * TAKEN_MS, leastMs: 1_500 } as const;
export const OUTSIDE_CALL = quick(real.OUTSIDE_CALL);
export const NIGHT = { patienceMs: 6 * TAKEN_MS, askAgainMs: 2_000 } as const;
export const WATCH = { lookEveryMs: 200 } as const;
