import pLimit from 'p-limit';

/** A gate whose width adapts: it lets some work through at once, and the rest waits in order. Work that ends too late makes it narrower. */
export interface AdaptiveGate {
  /**
   * Does work when the gate has room.
   *
   * @param isWanted called at that moment: if nobody waits for the work any more, it is not begun
   * @returns undefined when it was not begun
   */
  pass<T>(work: () => Promise<T>, isWanted: () => boolean): Promise<T | undefined>;
}

/**
 * Makes a gate for at most `most` at once. If the server behind it is overloaded, work that always came at full width would always end too late. So each
 * round that is too late halves the width, down to one; work that succeeds widens it again.
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
          // Work that began before the last narrowing says nothing about the present width.
          if (isTooLate(error) && began >= narrowedAt) {
            resize(room / 2);
            narrowedAt = performance.now();
          }
          throw error;
        }
      }),
  };
}
