/** A dom0 whose worker is away: what Temporal says of its steps, and what a person is told. */
import { ActivityFailure, ApplicationFailure, TimeoutFailure } from '@temporalio/workflow';

function timeoutOf(error: unknown): TimeoutFailure | undefined {
  return error instanceof ActivityFailure && error.cause instanceof TimeoutFailure ? error.cause : undefined;
}

/** Whether no worker took the step. */
export function isNotTaken(error: unknown): boolean {
  return timeoutOf(error)?.timeoutType === 'SCHEDULE_TO_START';
}

/** A step that waits longer than this is a long copy, which may wait for its turn behind others. */
const QUEUED_MS = 6 * 3_600_000;

/** No worker took the step, however often it was scheduled. */
export function neverTaken(host: string, step: string, ms: number): ApplicationFailure {
  const busy = ms >= QUEUED_MS ? ', or was it busy with copies of other guests all the time' : '';
  return unreachable(
    `the worker of dom0 ${host} did not take the step ${step} within ${Math.ceil(ms / 60_000)} minutes: is guestflow-dom0.service running there${busy}?`,
  );
}

/** The error of a step. If its worker went away in the middle of every attempt, an error that says so; any other error stays as it is. */
export function inWords(error: unknown, host: string, step: string): unknown {
  let timeout = timeoutOf(error);
  // The cause of a time-out is the failure of the attempt before it: another time-out, or an error that says more.
  while (timeout?.cause instanceof TimeoutFailure) timeout = timeout.cause;
  if (timeout?.timeoutType !== 'HEARTBEAT' || timeout.cause !== undefined) return error;
  return unreachable(
    `the worker of dom0 ${host} went away in the middle of ${step}, at its last attempt, too: see journalctl -u guestflow-dom0 there`,
  );
}

function unreachable(message: string): ApplicationFailure {
  return ApplicationFailure.create({ type: 'Unreachable', nonRetryable: true, message });
}
