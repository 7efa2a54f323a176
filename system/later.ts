/** A timer that may be far away. */

/** Longer ones fire at once. */
const LONGEST_MS = 2 ** 31 - 1;

/** Does something in so many milliseconds, at the latest in 24 days. */
export function later(ms: number, work: () => void): NodeJS.Timeout {
  return setTimeout(work, Math.min(ms, LONGEST_MS));
}
