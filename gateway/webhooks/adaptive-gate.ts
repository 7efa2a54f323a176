import pLimit from 'p-limit';

/** Lets so much work through at once; what comes on top waits for its turn, in order. Work that ends too late makes the way narrower. */
export interface AdaptiveGate {
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
export function createAdaptiveGate(most: number, isTooLate: (error: unknown) => boolean): AdaptiveGate {
  const limit = pLimit(most);
  let [room, narrowedAt] = [most, 0];
  const resize = (wanted: number): void => {
    room = Math.min(most, Math.max(1, wanted));
    limit.concurrency = Math.floor(room);
  };
  return {
    pass: (work, isWanted) =>
      limit(async () => {
        const began = performance.now();
        if (!isWanted()) return undefined;
        try {
          const done = await work();
          resize(room + 1 / room);
          return done;
        } catch (error) {
          // What began before the last narrowing was begun in the wider room: it says nothing of this one.
          if (isTooLate(error) && began >= narrowedAt) {
            resize(room / 2);
            narrowedAt = performance.now();
          }
          throw error;
        }
      }),
  };
}
