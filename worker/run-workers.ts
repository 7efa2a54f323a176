/** Runs workers until they are asked to stop. */
import type { Worker } from '@temporalio/worker';

/**
 * Runs all of them until the signal fires, then lets running activities end (each worker's `shutdownGraceTime`).
 * When one of them fails, the others are stopped and its error is thrown.
 *
 * @param onRunning called when all of them poll.
 */
export async function runWorkers(workers: readonly Worker[], signal: AbortSignal, onRunning?: () => void): Promise<void> {
  const stop = (): void => {
    for (const worker of workers) {
      if (worker.getState() === 'RUNNING') worker.shutdown();
    }
  };
  const runs = workers.map(async (worker) => {
    try {
      await worker.run();
    } finally {
      stop();
    }
  });
  if (signal.aborted) stop();
  else onRunning?.();
  signal.addEventListener('abort', stop, { once: true });
  try {
    const outcomes = await Promise.allSettled(runs);
    const failed = outcomes.find((outcome) => outcome.status === 'rejected');
    if (failed !== undefined) throw failed.reason;
  } finally {
    signal.removeEventListener('abort', stop);
  }
}

/** Why these take no work just now: they have not begun yet, or are ending. Undefined when they do. */
export function whyNoWork(workers: readonly Worker[]): string | undefined {
  const state = workers.map((worker) => worker.getState()).find((each) => each !== 'RUNNING');
  return state === undefined ? undefined : `the worker takes no work: it is ${state.toLowerCase()}`;
}
