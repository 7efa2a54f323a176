/** How often a token may ask. Each gateway process counts for itself: of several, or of functions, each takes so many. */
import { RateLimiterMemory, RateLimiterRes } from 'rate-limiter-flexible';
import { HttpRefusal } from '../../system/http/problem.ts';
import type { TokenRecord } from './tokens.ts';

/** Requests a minute of a token whose record says no other number. */
export const USUAL_PER_MINUTE = 600;
const WINDOW_SECONDS = 60;

/** Counts a request of a token. Returns the headers of its answer. @throws HttpRefusal 429 */
export type CountRequest = (token: TokenRecord) => Promise<Readonly<Record<string, string>>>;

/** The headers are those of draft-ietf-httpapi-ratelimit-headers-10: what is allowed in a window of seconds, what is left of it, and for how long. */
export function headersOf(perMinute: number, { remainingPoints, msBeforeNext }: RateLimiterRes): Readonly<Record<string, string>> {
  return {
    'ratelimit-policy': `"token";q=${String(perMinute)};w=${String(WINDOW_SECONDS)}`,
    ratelimit: `"token";r=${String(remainingPoints)};t=${String(Math.ceil(msBeforeNext / 1000))}`,
  };
}

export function createCount(): CountRequest {
  // One for each number: a token whose number was changed begins anew.
  const limiters = new Map<number, RateLimiterMemory>();
  return async ({ id, perMinute = USUAL_PER_MINUTE }) => {
    const limiter = limiters.get(perMinute) ?? new RateLimiterMemory({ points: perMinute, duration: WINDOW_SECONDS });
    limiters.set(perMinute, limiter);
    try {
      return headersOf(perMinute, await limiter.consume(id));
    } catch (used) {
      if (!(used instanceof RateLimiterRes)) throw used;
      const seconds = Math.max(1, Math.ceil(used.msBeforeNext / 1000));
      throw new HttpRefusal(
        429,
        'too-many',
        `this token may ask ${String(perMinute)} times a minute; ask again in ${String(seconds)} s`,
        {},
        { 'retry-after': String(seconds), ...headersOf(perMinute, used) },
      );
    }
  };
}
