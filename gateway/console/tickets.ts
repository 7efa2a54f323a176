/** One-time tickets: 32 random bytes, of which only a hash is kept, for one use within a short time. In memory: a ticket is good in the process that made it. */
import { createHash, randomBytes } from 'node:crypto';
import { HttpRefusal } from '../../system/http/problem.ts';

export interface Tickets<T> {
  /**
   * Makes a ticket for something.
   *
   * @param holder who gets it. Of those of one holder that wait, only so many are good: the oldest goes
   * @throws HttpRefusal 503 when too many wait
   */
  make(what: T, holder: string): { readonly ticket: string; readonly expiresAt: Date };
  /** Uses a ticket up; undefined if it is none of these, was used, or is too old. */
  use(ticket: string): T | undefined;
}

/** Most that wait to be used: in all, and of one holder, who cannot have those of others go. */
const [MOST, MOST_OF_ONE] = [10_000, 100];

/** @param now milliseconds since 1970 */
export function createTickets<T>(seconds: number, now: () => number): Tickets<T> {
  const kept = new Map<string, { readonly what: T; readonly holder: string; readonly expires: number }>();
  return {
    make: (what, holder) => {
      for (const [hash, { expires }] of kept) if (expires <= now()) kept.delete(hash);
      const own = [...kept].filter(([, one]) => one.holder === holder);
      if (own.length >= MOST_OF_ONE) kept.delete(own[0]?.[0] ?? '');
      if (kept.size >= MOST) throw new HttpRefusal(503, 'busy', 'too many tickets wait to be used', {}, { 'retry-after': '10' });
      const expires = now() + seconds * 1_000;
      const ticket = randomBytes(32).toString('base64url');
      kept.set(hashOf(ticket), { what, holder, expires });
      return { ticket, expiresAt: new Date(expires) };
    },
    use: (ticket) => {
      const hash = hashOf(ticket);
      const one = kept.get(hash);
      kept.delete(hash);
      return one !== undefined && now() < one.expires ? one.what : undefined;
    },
  };
}

/** What is looked up is a hash: how long it takes tells nothing of a ticket. */
function hashOf(ticket: string): string {
  return createHash('sha256').update(ticket).digest('base64url');
}
