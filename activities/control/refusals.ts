/** What comes back from workflows that were asked. */
import { WorkflowUpdateFailedError } from '@temporalio/client';
import { ApplicationFailure, WorkflowNotFoundError } from '@temporalio/common';
import { isLostUpdate } from '../../contract/errors.ts';

/** A refusal of an update keeps its type and message, and is not asked for again. An update that was lost is no refusal: it is. */
export function unwrapped(error: unknown): unknown {
  return error instanceof WorkflowUpdateFailedError && error.cause instanceof ApplicationFailure && !isLostUpdate(error)
    ? error.cause
    : error;
}

/** Whether there is no such workflow (any more). */
export function isMissing(error: unknown): boolean {
  return error instanceof WorkflowNotFoundError;
}
