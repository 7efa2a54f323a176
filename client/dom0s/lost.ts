/** A dom0 that is lost for good, by an operator's word; and the word that it was found again. */
import { GuestflowError } from '../../contract/errors.ts';
import { DOM0_UPDATES, dom0WorkflowId } from '../../contract/names.ts';
import { updateLedger } from '../ledger-calls.ts';
import type { Session } from '../session.ts';
import { readDom0 } from './ledger.ts';
import { whenKnown } from './names.ts';
import { POLLER_IS_GONE_MS, pollersOf } from './workers.ts';

/** What a dom0 that is lost had. */
export interface LostDom0 {
  readonly host: string;
  /** ISO 8601. */
  readonly since: string;
  /** Names of the guests that it has reserved for. */
  readonly guests: readonly string[];
}

/** As long as its guests' workflows take to be told. */
const TELL_MS = 120_000;

/**
 * Declares a dom0 lost: its ledger refuses everything new, its worker may not come back, and its guests' workflows stop waiting for it. Their addresses
 * stay theirs. Said again, it tells guests again.
 *
 * @param silentMs for how long none of its workers may have asked for work. Default: 90 s
 * @throws GuestflowError Busy while its worker is alive; NotFound
 */
export async function loseDom0(session: Session, host: string, silentMs = POLLER_IS_GONE_MS): Promise<LostDom0> {
  await readDom0(session, host);
  const [alive] = await session.call(`dom0 ${host}`, () => pollersOf(session.client, host, silentMs));
  if (alive !== undefined)
    throw new GuestflowError('Busy', `dom0 ${host} is alive: its worker (${alive}) asks for work`, {
      field: 'dom0',
      value: host,
      mend: `if it is to go, move its guests, or power it off for good; ${silentMs / 1000} s after its worker has asked for the last time, it can be declared lost`,
    });
  const tell = (): Promise<void> => updateLedger(session.client, dom0WorkflowId(host), DOM0_UPDATES.lost, true);
  await whenKnown(session, host, tell, TELL_MS);
  const { lost = '', promised } = await readDom0(session, host);
  return { host, since: lost, guests: promised.map(({ guest }) => guest).sort() };
}

/** A dom0 that was declared lost is there again: its worker may register. Guests that do not live elsewhere by now are what they were. */
export async function findDom0(session: Session, host: string): Promise<void> {
  await whenKnown(session, host, () => updateLedger(session.client, dom0WorkflowId(host), DOM0_UPDATES.lost, false), TELL_MS);
}
