/** Steps on one guest never overlap on a dom0. */
import { CancelledFailure } from '@temporalio/common';

/** What a step locks: its guest, by name; or something that several guests share, for which their steps wait in turn. */
export type Lock = string | { readonly shared: string };

interface Holder {
  /** The guest whose step holds the lock. */
  readonly of: string;
  readonly abort: AbortController;
  readonly done: Promise<void>;
}

async function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return;
  await new Promise<void>((resolve) => {
    signal.addEventListener(
      'abort',
      () => {
        resolve();
      },
      { once: true },
    );
  });
}

/**
 * Steps on one guest never overlap on a dom0. If an earlier attempt still runs that Temporal has given up (its heartbeat was late), the new attempt ends
 * it and waits for its end. For a step of another guest, it only waits.
 */
export class GuestLocks {
  private readonly holders = new Map<string, Holder>();

  /** @param of the guest of the step: an earlier step of the same guest is ended. */
  async hold<T>(key: string, of: string, outer: AbortSignal, work: (signal: AbortSignal) => Promise<T>): Promise<T> {
    for (let holder = this.holders.get(key); holder !== undefined; holder = this.holders.get(key)) {
      if (holder.of === of) holder.abort.abort(new Error('a later attempt has begun'));
      await Promise.race([holder.done, aborted(outer)]);
      if (outer.aborted) throw new CancelledFailure('the step was cancelled while it waited for another');
    }
    const abort = new AbortController();
    const working = work(AbortSignal.any([outer, abort.signal]));
    const done = working.then(
      () => undefined,
      () => undefined,
    );
    this.holders.set(key, { of, abort, done });
    try {
      return await working;
    } finally {
      if (this.holders.get(key)?.done === done) this.holders.delete(key);
    }
  }
}
