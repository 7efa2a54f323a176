/** Any error of a step as a failure that Temporal can carry. */
import { ApplicationFailure, CancelledFailure } from '@temporalio/common';
import { GuestflowError } from '../../contract/errors.ts';
import { ToolError } from '../../system/run.ts';

/** Any error of a step as a failure that Temporal can carry, of a type that workflows and clients know. */
export function toFailure(error: unknown, signal: AbortSignal): Error {
  if (signal.aborted || (error instanceof ToolError && error.cancelled)) return new CancelledFailure('the step was cancelled');
  if (error instanceof GuestflowError) {
    return ApplicationFailure.create({
      type: error.type,
      message: error.message,
      nonRetryable: !error.retryable,
      details: [error.details],
    });
  }
  if (error instanceof ToolError) {
    return error.notFound
      ? ApplicationFailure.create({
          type: 'HostNotReady',
          message: error.message,
          nonRetryable: true,
          details: [{ mend: 'guestflow dom0 check' }],
        })
      : ApplicationFailure.create({ type: 'ToolFailed', message: error.message, details: [{}] });
  }
  const message = error instanceof Error ? error.message : String(error);
  const code = error instanceof Error && 'code' in error ? String(error.code) : undefined;
  // Errors of the file system (no space, read-only) come from the dom0's state, which may change: they are retried.
  return ApplicationFailure.create({
    type: 'ToolFailed',
    message: code === undefined ? message : `file system: ${message}`,
    details: [{}],
  });
}
