/** Turns at something that many want at once. */
import pLimit, { type LimitFunction } from 'p-limit';

/**
 * Lets so many in at a time for each key; the others wait, first come, first served. The keys are few (dom0s, networks): none is forgotten.
 *
 * A workflow takes ten updates at a time, and one more than that does not only get an error: the server (1.32) drops those that are under
 * way as well ("workflow update was aborted"), and a rush never ends. Hence each process asks a ledger for a few things at a time.
 */
export class Gate {
  private readonly most: number;
  private readonly limits = new Map<string, LimitFunction>();

  constructor(most: number) {
    this.most = most;
  }

  pass<T>(key: string, work: () => Promise<T>): Promise<T> {
    const limit = this.limits.get(key) ?? pLimit(this.most);
    this.limits.set(key, limit);
    return limit(work);
  }
}

/** Turns at a workflow's updates that one process takes: several processes together stay below the server's ten. */
export const UPDATES_AT_ONCE = 3;
