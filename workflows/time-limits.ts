/** Time limits and retries of activities by class of effect: four sets, named once. Tests put shorter ones in this file's place. */
import type { ActivityOptions } from '@temporalio/workflow';

/** A quick look or a change on a dom0. Its heartbeats come every 4 s, and are passed on at most every 8 s. */
export const HOST_CHANGE: ActivityOptions = {
  scheduleToStartTimeout: '2 minutes',
  startToCloseTimeout: '30 minutes',
  heartbeatTimeout: '40 seconds',
  retry: { initialInterval: '2 seconds', backoffCoefficient: 2, maximumInterval: '30 seconds', maximumAttempts: 4 },
};

/** A long copy. It may wait for another guest's copy to end: a dom0 that is dead shows at the short steps around it. */
export const LONG_COPY: ActivityOptions = {
  scheduleToStartTimeout: '12 hours',
  startToCloseTimeout: '6 hours',
  heartbeatTimeout: '40 seconds',
  retry: { initialInterval: '5 seconds', backoffCoefficient: 2, maximumInterval: '1 minute', maximumAttempts: 4 },
};

/** An undo: nobody waits for it, and giving up leaves something on a dom0. It waits for a dom0 that is down for a day. */
export const UNDO: ActivityOptions = {
  scheduleToCloseTimeout: '24 hours',
  startToCloseTimeout: '6 hours',
  heartbeatTimeout: '40 seconds',
  retry: { initialInterval: '2 seconds', backoffCoefficient: 2, maximumInterval: '1 minute', maximumAttempts: 8 },
};

/** A call to Temporal itself, made by the control worker. */
export const OUTSIDE_CALL: ActivityOptions = {
  startToCloseTimeout: '1 minute',
  retry: { initialInterval: '1 second', backoffCoefficient: 2, maximumInterval: '30 seconds', maximumAttempts: 20 },
};

/** Times that a step is offered to a dom0 that does not take it. An outage of everything uses one up, not all. */
export const OFFERS = 15;
