/** Metrics of the guests' traffic on a dom0. */
import { Counter, type Registry } from 'prom-client';
import type { Account } from '../activities/dom0/traffic/account.ts';

/** Adds the metrics to a registry. Returns what takes the accounts after each look, for `countTraffic`. A guest that has gone is not told of any more. */
export function observeTraffic(registry: Registry): (accounts: readonly Account[]) => void {
  const bytes = new Counter({
    name: 'guestflow_guest_traffic_bytes_total',
    help: 'Bytes at the vifs of a guest on this dom0 since its traffic is counted: in to the guest, out from it',
    labelNames: ['guest', 'direction'],
    registers: [registry],
  });
  return (accounts) => {
    bytes.reset();
    for (const { guest, total } of accounts) {
      bytes.inc({ guest, direction: 'in' }, total.inBytes);
      bytes.inc({ guest, direction: 'out' }, total.outBytes);
    }
  };
}
