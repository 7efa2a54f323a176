/** Requests that wait for news: so many at a time, none longer than a proxy or a function bears. */
import { setTimeout as sleep } from 'node:timers/promises';

/** Seconds that a request may wait: a function behind AWS's API Gateway has 29. */
export const LONGEST_WAIT_SECONDS = 20;

/** Most that wait at a time: in all, and of one token. */
const [MOST, MOST_OF_ONE] = [100, 10];
/** Between two looks. */
const LOOK_MS = 1_000;

export type WaitForNews = <T>(token: string, seconds: number, look: () => Promise<T>, isNews: (found: T) => boolean) => Promise<T>;

/**
 * Waiting for all routes of a gateway.
 *
 * @param stopping when it fires, nothing waits any longer. Default: nothing waits at all, as in a function, whose time is paid for
 */
export function createWaiting(stopping?: AbortSignal): WaitForNews {
  const waiting = new Map<string, number>();
  let all = 0;
  return async (token, seconds, look, isNews) => {
    let found = await look();
    const own = waiting.get(token) ?? 0;
    // Who asks for too much is answered at once, which is right, too: it asks again.
    if (stopping === undefined || all >= MOST || own >= MOST_OF_ONE) return found;
    all += 1;
    waiting.set(token, own + 1);
    try {
      const until = performance.now() + seconds * 1_000;
      while (!isNews(found) && performance.now() < until && !stopping.aborted) {
        await sleep(Math.min(LOOK_MS, Math.max(0, until - performance.now())), undefined, { signal: stopping, ref: false }).catch(
          () => undefined,
        );
        found = await look();
      }
      return found;
    } finally {
      all -= 1;
      const left = (waiting.get(token) ?? 1) - 1;
      if (left === 0) waiting.delete(token);
      else waiting.set(token, left);
    }
  };
}
