/** The one way to wait for what nobody announces: look, rest, look again. */
import { setTimeout as sleep } from 'node:timers/promises';

/** How to wait. */
export interface Wait {
  /** Milliseconds between two looks. */
  readonly everyMs: number;
  /** Milliseconds after which it looks a last time. Default: no limit. */
  readonly limitMs?: number;
  /** Ends the wait with the signal's reason. */
  readonly signal?: AbortSignal | undefined;
}

/** What a look may give that is not yet what is waited for. */
type NotYet = undefined | false;

/**
 * Looks until there is something to see.
 *
 * @param look gives what was waited for; undefined or false: not yet. It throws when waiting is of no use
 * @returns what the look gave; undefined when the limit passed first
 * @throws the signal's reason when it fires
 */
export async function until<T>(
  look: () => T | NotYet | Promise<T | NotYet>,
  wait: Wait & { readonly limitMs: number },
): Promise<T | undefined>;
export async function until<T>(look: () => T | NotYet | Promise<T | NotYet>, wait: Wait): Promise<T>;
export async function until<T>(
  look: () => T | NotYet | Promise<T | NotYet>,
  { everyMs, limitMs = Infinity, signal }: Wait,
): Promise<T | undefined> {
  const deadline = performance.now() + limitMs;
  let isLast = false;
  for (;;) {
    const seen = await look();
    if (seen !== undefined && seen !== false) return seen;
    const leftMs = deadline - performance.now();
    if (isLast || leftMs <= 0) return undefined;
    // A timer may fire a little early: that this look is the last one is decided before the rest, not after it.
    isLast = leftMs <= everyMs;
    signal?.throwIfAborted();
    await sleep(Math.min(everyMs, leftMs), undefined, { signal }).catch((error: unknown) => {
      signal?.throwIfAborted();
      throw error;
    });
  }
}
