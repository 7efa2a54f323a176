/** Plans a guest with an address at which nothing answers. */
import type { ShortActivities } from '../../activities/dom0/activities.ts';
import type { GuestOrder, GuestSpec } from '../../contract/guest.ts';
import type { LeasedAddress } from '../../contract/dom0.ts';
import { rootFailure } from '../saga/operation.ts';
import { control } from '../saga/proxies.ts';

/** How many addresses are tried if the ledger chooses. */
const TRIES = 4;

/** Has the dom0 plan the guest. If something answers at an address that the ledger chose, the address is marked as taken, and the next one is tried. */
export async function planWithFreeAddress(
  host: Pick<ShortActivities, 'planGuest'>,
  order: GuestOrder,
  first: LeasedAddress,
): Promise<GuestSpec> {
  let lease = first;
  for (let tried = 1; ; tried += 1) {
    try {
      return await host.planGuest({ order, lease });
    } catch (error) {
      const { type, details } = rootFailure(error);
      const isTaken = type === 'InvalidInput' && details.field === 'ip';
      if (!isTaken || order.network.ip !== undefined || tried === TRIES) throw error;
      lease = await control.nextAddress({ order, ip: lease.ip });
    }
  }
}
