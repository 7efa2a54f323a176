/** All dom0s at a glance. */
import type { Capacity } from '../../contract/capacity.ts';
import type { Session } from '../session.ts';
import { readLedgers } from './ledger.ts';
import { pollersOf } from './workers.ts';

/** A dom0: its ledger, and whether a worker has asked for its work within a minute and a half. */
export interface Dom0Look {
  readonly capacity: Capacity;
  readonly isServed: boolean;
}

/** All dom0s that have registered, at most a second old. Throws GuestflowError Unreachable. */
export async function readDom0s(session: Session): Promise<Dom0Look[]> {
  const ledgers = await readLedgers(session);
  return Promise.all(
    ledgers.map(async ({ capacity }) => {
      const pollers = await session.call(`dom0 ${capacity.host}`, () => pollersOf(session.client, capacity.host));
      return { capacity, isServed: pollers.length > 0 };
    }),
  );
}
