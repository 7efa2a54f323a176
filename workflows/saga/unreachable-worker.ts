/** A dom0 whose worker is away: what Temporal says of its steps, and what a person is told. */
import { ActivityFailure, ApplicationFailure, TimeoutFailure } from '@temporalio/workflow';

function timeoutOf(error: unknown): TimeoutFailure | undefined {
  return error instanceof ActivityFailure && error.cause instanceof TimeoutFailure ? error.cause : undefined;
}

/** Whether no worker took the step. */
export function isNotTaken(error: unknown): boolean {
  return timeoutOf(error)?.timeoutType === 'SCHEDULE_TO_START';
}

/** What waits this long is a long copy, which waits for its turn behind others. */
const QUEUED_MS = 6 * 3_600_000;

/** No worker took the step, as often as it was offered. */
export function neverTaken(host: string, step: string, ms: number): ApplicationFailure {
  const busy = ms >= QUEUED_MS ? ', or was it busy with copies of other guests all the time' : '';
  return unreachable(
    `the worker of dom0 ${host} did not take the step ${step} within ${Math.ceil(ms / 60_000)} minutes: is guestflow-dom0.service running there${busy}?`,
  );
}

/** An error of a step; in words, when it is that its worker went away in the middle of it, the last time as before. Another one stays as it is. */
export function inWords(error: unknown, host: string, step: string): unknown {
  let timeout = timeoutOf(error);
  // Behind a time-out is what the attempt before it failed with: another time-out, or something that says more.
  while (timeout?.cause instanceof TimeoutFailure) timeout = timeout.cause;
  if (timeout?.timeoutType !== 'HEARTBEAT' || timeout.cause !== undefined) return error;
  return unreachable(
    `the worker of dom0 ${host} went away in the middle of ${step}, at its last attempt, too: see journalctl -u guestflow-dom0 there`,
  );
}

function unreachable(message: string): ApplicationFailure {
  return ApplicationFailure.create({ type: 'Unreachable', nonRetryable: true, message });
}
