/** Long work at a bounded rate, so that it leaves the disks to the guests. */
import { setTimeout as sleep } from 'node:timers/promises';

/** Time as the work sees it; a test brings its own. */
export interface Clock {
  /** Milliseconds; only differences mean something. */
  nowMs(): number;
  /** @throws the signal's reason when it fires */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
}

export const CLOCK: Clock = {
  nowMs: () => performance.now(),
  sleep: async (ms, signal) => {
    await sleep(ms, undefined, signal === undefined ? {} : { signal });
  },
};

/** A bound on bytes per second. */
export interface Pace {
  readonly bytesPerSecond: number;
  /** Default: the machine's. */
  readonly clock?: Clock;
}

/**
 * Does a part of the work, then rests as long as the rate demands. If a part takes longer than that, later parts are not made faster.
 *
 * @param bytes of this part
 */
export async function paced<T>(
  { bytesPerSecond, clock = CLOCK }: Pace,
  bytes: number,
  work: () => Promise<T>,
  signal?: AbortSignal,
): Promise<T> {
  const began = clock.nowMs();
  const result = await work();
  const restMs = (bytes / bytesPerSecond) * 1000 - (clock.nowMs() - began);
  if (restMs > 0) await clock.sleep(restMs, signal);
  return result;
}
