/** Has a guest's workflow take a guest over that is on its dom0, and that this Temporal does not know. */
import type { GuestOrder, GuestRef, OrderAnswer } from '../../contract/guest.ts';
import type { FoundGuest } from '../../contract/step-results.ts';
import { runDom0Task } from '../dom0s/tasks.ts';
import type { Session } from '../session.ts';
import { orderGuest } from './order.ts';

/**
 * Asks the dom0 what there is, and starts the guest's workflow with it. It returns when that was taken.
 *
 * @throws GuestflowError NotFound, NotOurs or InvalidInput when there is no such guest there; Busy or NotOurs when the name is another order's
 */
export async function adoptGuest(session: Session, ref: GuestRef): Promise<OrderAnswer> {
  const { spec } = await runDom0Task<FoundGuest>(session, ref.dom0, 'find', { guest: ref });
  const order: GuestOrder = spec;
  return orderGuest(session, order, { adopts: true });
}
