/** Steps on one guest never overlap on a dom0. */
import { CancelledFailure } from '@temporalio/common';

/** What a step has to itself: its guest, by name; or something that several guests share, for which they wait in turn. */
export type Lock = string | { readonly shared: string };

interface Holder {
  /** Whose step it is. */
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
 * Steps on one guest never overlap on a dom0, not even with an earlier attempt that Temporal has given up on (a heartbeat that was late)
 * while its processes still run: the newcomer ends the other one and waits for it. Another guest's step is only waited for.
 */
export class GuestLocks {
  private readonly holders = new Map<string, Holder>();

  /** @param of whose step it is: an earlier one of the same is ended. */
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
