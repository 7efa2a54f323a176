/** Calls to dom0s that may not be there. */
import { GuestflowError } from '../contract/errors.ts';
import { untilTakenByLedger } from './lost-updates.ts';
import { listDom0s } from './listing.ts';
import type { Session } from './session.ts';

/** Makes a call to a dom0's workflow; for one that there is not, the error names those that there are. */
export async function whenKnown<T>(session: Session, host: string, work: () => Promise<T>, limitMs?: number): Promise<T> {
  try {
    return await session.call(`dom0 ${host}`, () => untilTakenByLedger(work), limitMs);
  } catch (error) {
    if (!(error instanceof GuestflowError) || error.type !== 'NotFound') throw error;
    const known = await listDom0s(session);
    throw new GuestflowError(
      'NotFound',
      `there is no dom0 ${host}: ${known.length === 0 ? 'none has registered' : `known are ${known.join(', ')}`}`,
      { field: 'dom0', value: host },
    );
  }
}
