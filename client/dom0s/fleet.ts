/** All dom0s at a glance. */
import type { Capacity } from '../../contract/capacity.ts';
import { defined } from '../../contract/defined.ts';
import type { Session } from '../session.ts';
import { readLedgers } from './ledger.ts';
import { readQueues, type Dom0Queues } from './workers.ts';

/** A dom0: its ledger, and whether a worker has asked for its work within a minute and a half. */
export interface Dom0Look extends Pick<Dom0Queues, 'isServed' | 'waiting'> {
  readonly capacity: Capacity;
  /** When its worker was last heard of: it asked for work, or said what the dom0 has (ISO 8601). */
  readonly seenAt?: string;
}

/** All dom0s that have registered, at most a second old. Throws GuestflowError Unreachable. */
export async function readDom0s(session: Session): Promise<Dom0Look[]> {
  const ledgers = await readLedgers(session);
  return Promise.all(
    ledgers.map(async ({ capacity, seenAt }) => {
      const {
        isServed,
        polledAt = 0,
        waiting,
      } = await session.call(`dom0 ${capacity.host}`, () => readQueues(session.client, capacity.host));
      const seen = Math.max(polledAt, seenAt === undefined ? 0 : Date.parse(seenAt));
      return { capacity, isServed, waiting, ...defined({ seenAt: seen === 0 ? undefined : new Date(seen).toISOString() }) };
    }),
  );
}
