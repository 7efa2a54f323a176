/** Time limits and retries of activities by class of effect: four sets, named once. Tests put shorter ones in this file's place. */
import type { ActivityOptions } from '@temporalio/workflow';

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;

/**
 * A cancel waits until the step has ended, since its undo must not run beside it. The SDK's default is not to wait, whatever its documentation says
 * (1.24).
 */
const CANCELLED_WHEN_ENDED = { cancellationType: 'WAIT_CANCELLATION_COMPLETED' } as const;

/** How long a step waits for a worker of its dom0 to start it. It is scheduled `count` times, so that an outage of Temporal uses up one time, not all. */
export interface StartPatience {
  readonly count: number;
  readonly eachMs: number;
}

/** A quick look or a change on a dom0. Its heartbeats come every 4 s, and are passed on at most every 8 s. */
export const HOST_CHANGE: ActivityOptions = {
  ...CANCELLED_WHEN_ENDED,
  startToCloseTimeout: '30 minutes',
  heartbeatTimeout: '40 seconds',
  retry: { initialInterval: '2 seconds', backoffCoefficient: 2, maximumInterval: '30 seconds', maximumAttempts: 4 },
};
export const HOST_CHANGE_PATIENCE: StartPatience = { count: 15, eachMs: 2 * MINUTE_MS };

/** A long copy. It may wait for another guest's copy to end; whether the dom0 is dead shows at the short steps around it. */
export const LONG_COPY: ActivityOptions = {
  ...CANCELLED_WHEN_ENDED,
  startToCloseTimeout: '6 hours',
  heartbeatTimeout: '40 seconds',
  retry: { initialInterval: '5 seconds', backoffCoefficient: 2, maximumInterval: '1 minute', maximumAttempts: 4 },
};
/** A day: the night of a dom0 with hundreds of guests may take so long, since their backups run one after the other. */
export const LONG_COPY_PATIENCE: StartPatience = { count: 1, eachMs: 24 * HOUR_MS };

/** An undo. Giving up would leave something on the dom0, and nobody waits for it: so it is tried for long. */
export const UNDO: ActivityOptions = {
  ...CANCELLED_WHEN_ENDED,
  startToCloseTimeout: '6 hours',
  heartbeatTimeout: '40 seconds',
  retry: { initialInterval: '2 seconds', backoffCoefficient: 2, maximumInterval: '1 minute', maximumAttempts: 8 },
};
/** All undos of an operation together wait `allMs` for a dom0 that is down; each of them waits at least `leastMs`. */
export const UNDO_PATIENCE = { allMs: 24 * HOUR_MS, leastMs: 2 * MINUTE_MS } as const;

/** A call to Temporal itself, made by the control worker. */
export const OUTSIDE_CALL: ActivityOptions = {
  ...CANCELLED_WHEN_ENDED,
  startToCloseTimeout: '1 minute',
  retry: { initialInterval: '1 second', backoffCoefficient: 2, maximumInterval: '30 seconds', maximumAttempts: 20 },
};

/**
 * How long a night's workflow waits for its guest's answer. The answer comes when the backup has succeeded or finally failed; the backup may wait a day
 * for its turn, and be tried again. If the guest is gone, that shows when it is asked again.
 */
export const NIGHT = { patienceMs: 52 * HOUR_MS, askAgainMs: 30 * MINUTE_MS } as const;

/** How often the watch looks at the fleet. */
export const WATCH = { lookEveryMs: MINUTE_MS } as const;

/** How work gives way to orders: how often it looks for one while it works, and while it waits for their end; and after how many looks it waits no longer: six hours. */
export const GIVE_WAY = { lookEveryMs: 5_000, waitEveryMs: 40_000, mostLooks: 540 } as const;
