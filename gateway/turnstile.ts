/** Lets so much work through at once; what comes on top waits for its turn, in order. */
export interface Turnstile {
  /**
   * Does work when its turn has come.
   *
   * @param isWanted asked at that moment: work that nobody waits for any more is not begun
   */
  pass<T>(work: () => Promise<T>, isWanted: () => boolean): Promise<T | undefined>;
}

/** With room for `most` at once. */
export function createTurnstile(most: number): Turnstile {
  const waiting: (() => void)[] = [];
  let inside = 0;
  const leave = (): void => {
    const next = waiting.shift();
    if (next === undefined) inside -= 1;
    else next();
  };
  return {
    pass: async (work, isWanted) => {
      if (inside < most) inside += 1;
      else await new Promise<void>((resolve) => waiting.push(resolve));
      try {
        return isWanted() ? await work() : undefined;
      } finally {
        leave();
      }
    },
  };
}
