/** Lets so much work through at once; what comes on top waits for its turn, in order. Work that ends too late makes the way narrower. */
export interface Turnstile {
  /**
   * Does work when its turn has come.
   *
   * @param isWanted asked at that moment: work that nobody waits for any more is not begun
   * @returns undefined when it was not begun
   */
  pass<T>(work: () => Promise<T>, isWanted: () => boolean): Promise<T | undefined>;
}

/**
 * With room for `most` at once. Whoever works there and is overloaded would get to nothing in time if it always had that much: with each
 * round that is too late the room is halved, down to one, and it grows again with what succeeds.
 *
 * @param isTooLate whether an error says so
 */
export function createTurnstile(most: number, isTooLate: (error: unknown) => boolean): Turnstile {
  const waiting: (() => void)[] = [];
  let [room, inside, narrowedAt] = [most, 0, 0];
  const admit = (): void => {
    while (waiting.length > 0 && inside < Math.floor(room)) {
      inside += 1;
      waiting.shift()?.();
    }
  };
  const narrow = (began: number): void => {
    // What began before that was begun in the wider room: it says nothing of this one.
    if (began < narrowedAt) return;
    room = Math.max(1, room / 2);
    narrowedAt = performance.now();
  };
  return {
    pass: async (work, isWanted) => {
      await new Promise<void>((resolve) => {
        waiting.push(resolve);
        admit();
      });
      const began = performance.now();
      try {
        if (!isWanted()) return undefined;
        const done = await work();
        room = Math.min(most, room + 1 / room);
        return done;
      } catch (error) {
        if (isTooLate(error)) narrow(began);
        throw error;
      } finally {
        inside -= 1;
        admit();
      }
    },
  };
}
