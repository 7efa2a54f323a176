/** Guests, as the activities of billing reach them: over the client library. */
import type { BillingGuests } from './activities.ts';
import { findStatus } from '../../../client/guests/look.ts';
import { operateFor } from '../../../client/guests/operate.ts';
import { placeOrder } from '../../../client/guests/place.ts';
import type { Session } from '../../../client/session.ts';
import { hostnameWorkflowId, type GuestView } from '../../../contract/billing.ts';
import type { UnplacedOrder } from '../../../contract/guest.ts';
import { defined } from '../../../contract/defined.ts';

/** How long an operation is waited for before the workflow is told to ask again. */
const WAIT_MS = 3_000;

/** The guests that one connection reaches. */
export function createBillingGuests(session: Session): BillingGuests {
  return {
    look: (guest) => look(session, guest),
    place: (order) => place(session, order),
    operate: (guest, request) => operateFor(session, guest, request, WAIT_MS),
    holderOfHostname: (hostname) => holderOf(session, hostname),
  };
}

async function look(session: Session, guest: string): Promise<GuestView | undefined> {
  const status = await findStatus(session, guest);
  if (status === undefined) return undefined;
  const { order, phase, plan, spec, graceUntil, error } = status;
  return {
    order,
    phase,
    plan,
    isBusy: status.operation !== undefined || status.queued.length > 0,
    ...(spec === undefined ? {} : { ip: spec.network.ip }),
    ...defined({ graceUntil }),
    ...(error === undefined ? {} : { error: { type: error.type, message: error.message } }),
  };
}

async function place(session: Session, order: UnplacedOrder): Promise<void> {
  // If the order is placed already, it is not sent again: billing may want something else by now, and then the guest is changed, not refused as another order.
  const former = await findStatus(session, order.name);
  if (former !== undefined && former.phase !== 'failed' && former.order === order.order) return;
  await placeOrder(session, order);
}

async function holderOf(session: Session, hostname: string): Promise<string | undefined> {
  const { memo } = await session.call(`host name ${hostname}`, () =>
    session.client.workflow.getHandle(hostnameWorkflowId(hostname)).describe(),
  );
  return typeof memo?.['order'] === 'string' ? memo['order'] : undefined;
}
