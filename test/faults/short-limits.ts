/** Stands in for `workflows/time-limits.ts` in the fault tests: the same retries, in a fraction of the time. */
import type { ActivityOptions } from '@temporalio/workflow';
import * as real from '../../workflows/time-limits.ts';

/** Retries follow each other at once; how many there are stays. */
function quick(options: ActivityOptions, limits: ActivityOptions): ActivityOptions {
  return { ...options, ...limits, retry: { ...options.retry, initialInterval: '20 milliseconds', maximumInterval: '100 milliseconds' } };
}

/** Longer than any step waits for its turn while many cases run at once. */
const TAKEN = '6 seconds';

export const HOST_CHANGE = quick(real.HOST_CHANGE, { scheduleToStartTimeout: TAKEN });
export const LONG_COPY = quick(real.LONG_COPY, { scheduleToStartTimeout: TAKEN });
export const UNDO = quick(real.UNDO, { scheduleToCloseTimeout: '25 seconds' });
export const OUTSIDE_CALL = quick(real.OUTSIDE_CALL, {});
export const OFFERS = 2;
