/** Activities of the control worker: calls to Temporal itself. */
import type { Client } from '@temporalio/client';
import type { Dom0Facts, LeasedAddress } from '../../contract/dom0.ts';
import type { Dom0Lost, GuestOrder, GuestRef, GuestSpec } from '../../contract/guest.ts';
import type { GoldenRenewal } from '../../contract/golden.ts';
import { DOM0_UPDATES } from '../../contract/names.ts';
import { updateDom0 } from '../../client/dom0s/ledger.ts';
import { joinNetwork } from '../../client/networks.ts';
import { claimsOf, type Claim, type OwnerOn } from './claims.ts';
import { endOperation, tellGuests } from './lost-guests.ts';
import { NightlySchedules } from './nightly-schedules.ts';
import { areOrdersHere } from './orders.ts';
import { Reservations, type GoldenTrial } from './reservations.ts';

// The type is inferred: workflows import it to call activities by name.
// eslint-disable-next-line @typescript-eslint/explicit-module-boundary-types
export function createControlActivities(client: Client) {
  const reservations = new Reservations(client);
  const schedules = new NightlySchedules(client);
  return {
    reserve: (order: GuestOrder): Promise<LeasedAddress> => reservations.reserve(order),
    nextAddress: (input: { order: GuestOrder; ip: string }): Promise<LeasedAddress> => reservations.nextAddress(input),
    changeReservation: (spec: GuestSpec, restores = false): Promise<void> => reservations.change(spec, restores),
    adopt: (spec: GuestSpec): Promise<void> => reservations.adopt(spec),
    release: (ref: GuestRef): Promise<void> => reservations.release(ref),
    reserveWithLease: (order: GuestOrder): Promise<LeasedAddress> => reservations.reserveWithLease(order),
    reserveGolden: (trial: GoldenTrial): Promise<void> => reservations.reserveGolden(trial),
    leaveDom0: (ref: GuestRef): Promise<void> => reservations.leave(ref),

    /** Tells a dom0's network which addresses are in use there. */
    observe: async (facts: Dom0Facts): Promise<void> => {
      await joinNetwork(client, facts);
    },

    /** Which of these a workflow claims, on whichever dom0 that guest lives, and why the others are orphans. Takes at most `OWNERS_AT_ONCE`. */
    claims: (owners: readonly OwnerOn[]): Promise<Claim[]> => claimsOf(client, owners),

    /** Tells these guests, and all others that are on the dom0, that it is lost, or was found again. */
    tellGuests: (what: Dom0Lost, guests: readonly string[]): Promise<void> => tellGuests(client, what, guests),
    /** Ends an operation where it stands: its dom0 is lost, and neither it nor its undo could go on. */
    endOperation: (input: { workflowId: string; reason: string }): Promise<void> => endOperation(client, input),

    /** Tells a dom0's ledger what came of renewing its golden images: operators are told of what failed. */
    tellRenewal: ({ dom0, outcomes }: { dom0: string; outcomes: readonly GoldenRenewal[] }): Promise<void> =>
      updateDom0(client, dom0, DOM0_UPDATES.renewed, outcomes),

    /** Whether an order is at work on the dom0. */
    areOrdersHere: (where: { dom0: string }): Promise<boolean> => areOrdersHere(client, where),

    scheduleNightly: (input: { ref: GuestRef; at?: string }): Promise<string> => schedules.make(input),
    unscheduleNightly: (ref: GuestRef): Promise<void> => schedules.remove(ref),
    schedulesLeft: (ref: GuestRef): Promise<string[]> => schedules.left(ref),
  };
}

export type ControlActivities = ReturnType<typeof createControlActivities>;
