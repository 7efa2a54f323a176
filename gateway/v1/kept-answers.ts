/** Answers that hold for a while: what is asked for again meanwhile costs no dom0 a look. */

/**
 * Asks for each key at most once in so many milliseconds; who asks meanwhile gets the same answer. A failure is not kept.
 *
 * @param now milliseconds since 1970. Default: the clock
 */
export function keepAnswers<T>(holdsMs: number, now: () => number = Date.now): (key: string, ask: () => Promise<T>) => Promise<T> {
  const kept = new Map<string, { readonly until: number; readonly answer: Promise<T> }>();
  return (key, ask) => {
    const at = now();
    for (const [other, { until }] of kept) if (until <= at) kept.delete(other);
    const there = kept.get(key);
    if (there !== undefined) return there.answer;
    const entry = { until: at + holdsMs, answer: ask() };
    kept.set(key, entry);
    entry.answer.catch(() => {
      if (kept.get(key) === entry) kept.delete(key);
    });
    return entry.answer;
  };
}
