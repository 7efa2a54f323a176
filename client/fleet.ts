/** The whole fleet as Temporal has it: its guests, its dom0s, what is being done, and the orders of billing. */
import type { OrderPhase } from '../contract/billing.ts';
import { countOrders } from './billing-orders.ts';
import { readDom0s, type Dom0Look } from './dom0s/fleet.ts';
import { listGuests, type GuestRow } from './guests/list.ts';
import { listRunning, type RunningOperation } from './guests/running.ts';
import type { Session } from './session.ts';

export interface Fleet {
  /** All but those that are gone, by name. */
  readonly guests: readonly GuestRow[];
  readonly dom0s: readonly Dom0Look[];
  /** Operations that run, the longest first. */
  readonly running: readonly RunningOperation[];
  /** How many orders of billing are in each phase. */
  readonly orders: Readonly<Record<OrderPhase, number>>;
}

/** Asks Temporal; of ten thousand guests a dozen calls, and five a dom0. Throws GuestflowError Unreachable. */
export async function readFleet(session: Session): Promise<Fleet> {
  const [guests, dom0s, running, orders] = await Promise.all([
    listGuests(session),
    readDom0s(session),
    listRunning(session),
    countOrders(session),
  ]);
  return { guests, dom0s, running, orders };
}
