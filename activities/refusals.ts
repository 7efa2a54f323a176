/** What comes back from workflows that were asked. */
import { WorkflowUpdateFailedError } from '@temporalio/client';
import { ApplicationFailure, WorkflowNotFoundError } from '@temporalio/common';

/** A refusal of an update keeps its type and message, and is not asked for again. */
export function unwrapped(error: unknown): unknown {
  return error instanceof WorkflowUpdateFailedError && error.cause instanceof ApplicationFailure ? error.cause : error;
}

/** Whether there is no such workflow (any more). */
export function isMissing(error: unknown): boolean {
  return error instanceof WorkflowNotFoundError;
}
