/** Refusals, of workflows and our own; and answers of workflows and Schedules that may be missing. */
import { ScheduleNotFoundError, WorkflowUpdateFailedError } from '@temporalio/client';
import { ApplicationFailure, WorkflowNotFoundError } from '@temporalio/common';
import { isLostUpdate } from '../../client/lost-updates.ts';

/** A failure that no retry mends. @param field of the order that is refused */
export function refusal(type: 'InvalidInput' | 'NotOurs', message: string, field: string): ApplicationFailure {
  return ApplicationFailure.create({ type, nonRetryable: true, message, details: [{ field }] });
}

/** A refusal of an update, with its type and message; it is not retried. A lost update is not a refusal: its error stays as it is, and is retried. */
export function unwrapped(error: unknown): unknown {
  return error instanceof WorkflowUpdateFailedError && error.cause instanceof ApplicationFailure && !isLostUpdate(error)
    ? error.cause
    : error;
}

/** The answer of an update. If the update was refused, its refusal is thrown. */
export async function orRefusal<T>(answer: Promise<T>): Promise<T> {
  try {
    return await answer;
  } catch (error) {
    throw unwrapped(error);
  }
}

/** Undefined if there is no such workflow or Schedule (any more). */
export async function unlessMissing<T>(answer: Promise<T>): Promise<T | undefined> {
  try {
    return await answer;
  } catch (error) {
    if (error instanceof WorkflowNotFoundError || error instanceof ScheduleNotFoundError) return undefined;
    throw error;
  }
}
