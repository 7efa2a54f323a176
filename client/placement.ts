/** Placement: chooses the dom0 of an order that names none, and reserves there; no global lock, each dom0's ledger decides for itself. */
import { GuestflowError } from '../contract/errors.ts';
import { amountsOf } from '../contract/overhead.ts';
import type { GuestOrder, ReserveRequest } from '../contract/types.ts';
import { readLedgers, reserveOn } from './ledgers.ts';
import { readStatus } from './progress.ts';
import { rank, STRATEGIES, type Strategy } from './rank.ts';
import type { Session } from './session.ts';
import { defined } from '../contract/defined.ts';

/** How a dom0 is chosen. */
export interface PlaceOptions {
  /** Default: `GUESTFLOW_PLACEMENT`, else `best-fit`. */
  readonly strategy?: Strategy;
  /** Not where another guest of the same customer is. Default: false. */
  readonly apart?: boolean;
}

/** What placement looks at. */
export type OrderToReserve = Pick<GuestOrder, 'name' | 'order' | 'plan' | 'customer' | 'size' | 'os'>;

/**
 * Chooses a dom0 and reserves the order's part of it, in the name of guest and order: the provisioning that follows finds it reserved. The
 * same order again gets the same dom0. What nobody comes for is freed by the dom0's audit after ten minutes.
 *
 * @returns name of the dom0
 * @throws GuestflowError NoCapacity with what is short on each dom0, before anything was made; NotOurs; Unreachable
 */
export async function placeAndReserve(session: Session, order: OrderToReserve, options: PlaceOptions = {}): Promise<string> {
  const { name, plan } = order;
  const known = await hostOfGuest(session, name);
  if (known !== undefined) return known;
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
    { guest: name, plan, ...amountsOf(order) },
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

/** A guest that is there has its dom0; one that failed is placed anew. */
async function hostOfGuest(session: Session, name: string): Promise<string | undefined> {
  try {
    const { phase, dom0 } = await readStatus(session, name);
    return phase === 'failed' ? undefined : dom0;
  } catch (error) {
    if (error instanceof GuestflowError && error.type === 'NotFound') return undefined;
    throw error;
  }
}

/** Undefined when it is reserved; else why not. */
async function tryReserve(
  session: Session,
  host: string,
  wanted: OrderToReserve,
  apart: boolean,
): Promise<{ field: string; message: string } | undefined> {
  const { name, order, plan, customer } = wanted;
  const request: ReserveRequest = {
    guest: name,
    order,
    plan,
    ...amountsOf(wanted),
    ...defined({ customer }),
    ...(apart ? { apart } : {}),
  };
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
