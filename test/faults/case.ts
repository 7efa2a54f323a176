/** A case of the matrix: a name by which it can be run again, and what came of it. */

/** How an operation ended. */
export type End = 'as ordered' | 'as before' | 'needs cleanup, then as before' | 'needs cleanup, then as ordered' | 'refused';

export interface Verdict {
  readonly end: End;
  /** In words, what is wrong; empty when all is well. */
  readonly complaints: readonly string[];
}

export interface Case {
  /** `group/…/fault`: unique, and the same in each run. */
  readonly name: string;
  run(): Promise<Verdict>;
}

/** A generator of numbers 0 to 1 that the seed decides (mulberry32). */
export function randomOf(seed: number): () => number {
  let state = seed | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}
