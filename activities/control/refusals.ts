/** What comes back from workflows and Schedules that were asked. */
import { ScheduleNotFoundError, WorkflowUpdateFailedError } from '@temporalio/client';
import { ApplicationFailure, WorkflowNotFoundError } from '@temporalio/common';
import { isLostUpdate } from '../../client/lost-updates.ts';

/** A refusal of an update keeps its type and message, and is not asked for again. An update that was lost is no refusal: it is. */
export function unwrapped(error: unknown): unknown {
  return error instanceof WorkflowUpdateFailedError && error.cause instanceof ApplicationFailure && !isLostUpdate(error)
    ? error.cause
    : error;
}

/** The answer of an update, or the refusal itself as what is thrown. */
export async function orRefusal<T>(answer: Promise<T>): Promise<T> {
  try {
    return await answer;
  } catch (error) {
    throw unwrapped(error);
  }
}

/** Undefined when there is no such workflow or Schedule (any more). */
export async function unlessMissing<T>(answer: Promise<T>): Promise<T | undefined> {
  try {
    return await answer;
  } catch (error) {
    if (error instanceof WorkflowNotFoundError || error instanceof ScheduleNotFoundError) return undefined;
    throw error;
  }
}
