/** Places an order: if it names no dom0, chooses one and reserves there; then orders the guest. There is no global lock: each dom0's ledger decides for itself. */
import { GuestflowError } from '../../contract/errors.ts';
import { takenBy } from '../../contract/takes.ts';
import type { GuestOrder, OrderAnswer, UnplacedOrder } from '../../contract/guest.ts';
import type { ReserveRequest } from '../../contract/dom0.ts';
import { readLedgers, reserveOn } from '../dom0s/ledger.ts';
import { listDom0s } from '../dom0s/names.ts';
import { mustBeServed } from '../dom0s/workers.ts';
import type { Session } from '../session.ts';
import { exists, findStatus } from './look.ts';
import { orderGuest } from './order.ts';
import { rank, STRATEGIES, type Strategy } from './rank.ts';

/** How a dom0 is chosen. */
export interface ChoiceOptions {
  /** Default: `GUESTFLOW_PLACEMENT`, else `best-fit`. */
  readonly strategy?: Strategy;
  /** Not where another guest of the same customer is. Default: false. */
  readonly apart?: boolean;
}

export interface PlaceOptions extends ChoiceOptions {
  /** Whether a worker must serve the dom0 when a new order is given. Default: it is enough that the dom0 has registered. */
  readonly mustBeServed?: boolean;
}

/** The answer to an order, and where it went. */
export interface PlacedOrder extends OrderAnswer {
  readonly dom0: string;
}

/**
 * Orders a guest, on a dom0 that is chosen when the order names none; returns when the order is taken. The same order again gets the same answer, and the
 * same dom0.
 *
 * @throws GuestflowError InvalidInput for a dom0 that nobody knows; as `chooseDom0` and `orderGuest`
 */
export async function placeOrder(session: Session, order: UnplacedOrder, options: PlaceOptions = {}): Promise<PlacedOrder> {
  const dom0 = order.dom0 ?? (await chooseDom0(session, order, options));
  // An order that was taken before gets its answer even while its dom0 is down.
  if (options.mustBeServed === true) {
    if (!(await exists(session, order.name))) await mustBeServed(session, dom0);
  } else if (order.dom0 !== undefined && !(await listDom0s(session)).includes(dom0))
    throw new GuestflowError('InvalidInput', `dom0 ${dom0} is not known`, { field: 'dom0' });
  return { ...(await orderGuest(session, { ...order, dom0 })), dom0 };
}

/** The part of an order that placement reads. */
export type OrderToReserve = Pick<GuestOrder, 'name' | 'order'> & Parameters<typeof takenBy>[0];

/**
 * Chooses a dom0 and reserves the order's part of it, in the name of guest and order: the provisioning that follows finds it reserved. A guest that is
 * there has its dom0; one that failed is placed anew. What nobody comes for is freed by the dom0's audit after ten minutes.
 *
 * @returns name of the dom0
 * @throws GuestflowError NoCapacity with what is short on each dom0, before anything was made; NotOurs; Unreachable
 */
export async function chooseDom0(session: Session, order: OrderToReserve, options: ChoiceOptions = {}): Promise<string> {
  const { name } = order;
  const former = await findStatus(session, name);
  if (former !== undefined && former.phase !== 'failed') return former.dom0;
  const seen = await readLedgers(session);
  if (seen.length === 0)
    throw new GuestflowError('NoCapacity', `no dom0 can take guest ${name}: none has registered`, {
      field: 'dom0',
      mend: 'start a worker on one: systemctl start guestflow-dom0, or guestflow worker dom0',
    });
  const own = seen.find(({ owners }) => owners.some((owner) => owner.guest === name && owner.order === order.order));
  if (own !== undefined) return own.capacity.host;
  const { hosts, refused } = rank(
    seen.map(({ capacity }) => capacity),
    { guest: name, ...takenBy(order) },
    options.strategy ?? configuredStrategy(),
  );
  const reasons = [...refused];
  for (const host of hosts) {
    const refusal = await tryReserve(session, host, order, options.apart === true);
    if (refusal === undefined) return host;
    reasons.push(refusal);
  }
  throw new GuestflowError('NoCapacity', `no dom0 can take guest ${name}: ${reasons.map(({ message }) => message).join('; ')}`, {
    field: reasons[0]?.field ?? 'dom0',
  });
}

/** Undefined if it is reserved; else why not. */
async function tryReserve(
  session: Session,
  host: string,
  wanted: OrderToReserve,
  apart: boolean,
): Promise<{ field: string; message: string } | undefined> {
  const request: ReserveRequest = { guest: wanted.name, order: wanted.order, ...takenBy(wanted), ...(apart ? { apart } : {}) };
  try {
    await reserveOn(session, host, request);
    return undefined;
  } catch (error) {
    if (!(error instanceof GuestflowError) || (error.type !== 'NoCapacity' && error.type !== 'HostNotReady' && error.type !== 'NotFound'))
      throw error;
    return { field: error.details.field ?? 'dom0', message: error.message };
  }
}

function configuredStrategy(): Strategy {
  const name = process.env['GUESTFLOW_PLACEMENT'] ?? 'best-fit';
  const strategy = STRATEGIES.find((known) => known === name);
  if (strategy === undefined)
    throw new GuestflowError('InvalidInput', `GUESTFLOW_PLACEMENT is "${name}": it must be ${STRATEGIES.join(' or ')}`, {
      field: 'GUESTFLOW_PLACEMENT',
      value: name,
    });
  return strategy;
}
