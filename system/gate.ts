/** A gate: lets only a few through at a time. */
import pLimit, { type LimitFunction } from 'p-limit';

/**
 * Lets so many through at a time for each key; the others wait, first come, first served. Keys are never dropped: there are few (dom0s, networks).
 *
 * Why there is one for ledgers: a workflow takes ten updates at a time. If one more comes, the server (1.32) not only refuses that, it also drops those
 * that are under way ("workflow update was aborted"), so a rush would never end. Hence each process makes only a few calls to a ledger at a time.
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

/** How many updates of one workflow a process sends at a time: several processes together stay below the server's ten. */
export const UPDATES_AT_ONCE = 3;
