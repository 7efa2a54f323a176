/** What comes back from workflows that were asked. */
import { WorkflowUpdateFailedError } from '@temporalio/client';
import { ApplicationFailure, WorkflowNotFoundError } from '@temporalio/common';

/** What the server (1.32) says of an update whose worker went, or was late, while it had it: nobody has looked at it. */
const UNPROCESSED = 'UnprocessedUpdate';

/** A refusal of an update keeps its type and message, and is not asked for again. An update that was lost is no refusal: it is. */
export function unwrapped(error: unknown): unknown {
  return error instanceof WorkflowUpdateFailedError && error.cause instanceof ApplicationFailure && !isLost(error) ? error.cause : error;
}

/** Whether an update was lost on its way: the same one may be sent again. */
export function isLost(error: unknown): boolean {
  return error instanceof WorkflowUpdateFailedError && error.cause instanceof ApplicationFailure && error.cause.type === UNPROCESSED;
}

/** Whether there is no such workflow (any more). */
export function isMissing(error: unknown): boolean {
  return error instanceof WorkflowNotFoundError;
}
