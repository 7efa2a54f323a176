/** Runs an activity as Temporal would: attempt after attempt, in a new worker process when the one before was killed. */
import { MockActivityEnvironment } from '@temporalio/testing';
import { ApplicationFailure, CancelledFailure } from '@temporalio/common';
import { DefaultLogger } from '@temporalio/worker';
import { HOST_CHANGE, UNDO } from '../../workflows/saga/time-limits.ts';
import type { Entry } from './tape.ts';
import type { World } from './world.ts';

/** What fails here is meant to. */
const QUIET = new DefaultLogger('ERROR', () => undefined);

export type Outcome = { readonly isOk: true; readonly value: unknown } | { readonly isOk: false; readonly error: Error };

/** Attempts that a step has. */
export const STEP_ATTEMPTS = HOST_CHANGE.retry?.maximumAttempts ?? 1;
/** Attempts that an undo has. */
export const UNDO_ATTEMPTS = UNDO.retry?.maximumAttempts ?? 1;

export interface PerformOptions {
  /** Default: those of a step. */
  readonly attempts?: number;
  /** Of the workflow that calls it. */
  readonly workflowId?: string;
  /** Told of each attempt's environment, by which it can be cancelled. */
  readonly onAttempt?: (environment: MockActivityEnvironment) => void;
}

function isFinal(error: unknown): boolean {
  return error instanceof CancelledFailure || (error instanceof ApplicationFailure && error.nonRetryable === true);
}

/** Calls to Temporal are not played here: they count as done. */
export async function perform(
  world: World,
  { activity, input, isControl }: Entry,
  { attempts = STEP_ATTEMPTS, workflowId = 'guest/one/walk', onAttempt }: PerformOptions = {},
): Promise<Outcome> {
  if (isControl) return { isOk: true, value: undefined };
  for (let attempt = 1; ; attempt += 1) {
    world.startWorker();
    const environment = new MockActivityEnvironment(
      { attempt, activityType: activity, workflowExecution: { workflowId, runId: 'run' } },
      { logger: QUIET },
    );
    onAttempt?.(environment);
    try {
      return { isOk: true, value: await environment.run(() => world.attempt(activity, input)) };
    } catch (error) {
      const isOver = attempt >= attempts || (!world.isWorkerDead && isFinal(error));
      if (isOver) return { isOk: false, error: error instanceof Error ? error : new Error(String(error)) };
    }
  }
}

/** Runs undos as an operation does: each on its own, whatever became of the others. In words, which did not end well. */
export async function undo(world: World, entries: readonly Entry[], whose: Pick<PerformOptions, 'workflowId'> = {}): Promise<string[]> {
  const failed: string[] = [];
  for (const entry of entries) {
    const outcome = await perform(world, entry, { ...whose, attempts: UNDO_ATTEMPTS });
    if (!outcome.isOk) failed.push(`undo ${entry.activity} failed: ${outcome.error.message}`);
  }
  return failed;
}
