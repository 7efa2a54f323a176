/** Turns at something that many want at once. Free of imports. */

/**
 * Lets so many in at a time for each key; the others wait, first come, first served.
 *
 * A workflow takes ten updates at a time, and one more than that does not only get an error: the server (1.32) drops those that are under
 * way as well ("workflow update was aborted"), and a rush never ends. Hence each process asks a ledger for a few things at a time.
 */
export class Turns {
  private readonly most: number;
  private readonly inside = new Map<string, number>();
  private readonly waiting = new Map<string, (() => void)[]>();

  constructor(most: number) {
    this.most = most;
  }

  async take<T>(key: string, work: () => Promise<T>): Promise<T> {
    if ((this.inside.get(key) ?? 0) >= this.most)
      await new Promise<void>((resolve) => {
        this.waiting.set(key, [...(this.waiting.get(key) ?? []), resolve]);
      });
    else this.inside.set(key, (this.inside.get(key) ?? 0) + 1);
    try {
      return await work();
    } finally {
      this.pass(key);
    }
  }

  /** Whoever waits takes over the turn; nobody: it is free. */
  private pass(key: string): void {
    const [next, ...others] = this.waiting.get(key) ?? [];
    if (others.length > 0) this.waiting.set(key, others);
    else this.waiting.delete(key);
    if (next !== undefined) {
      next();
      return;
    }
    const left = (this.inside.get(key) ?? 1) - 1;
    if (left > 0) this.inside.set(key, left);
    else this.inside.delete(key);
  }
}

/** Turns at a workflow's updates that one process takes: several processes together stay below the server's ten. */
export const UPDATES_AT_ONCE = 3;
