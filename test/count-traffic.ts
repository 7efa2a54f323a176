/** One look at the traffic of all guests on a fake dom0, as its worker has each minute. */
import type { Account } from '../activities/dom0/traffic/account.ts';
import type { FakeDom0 } from '../fake/index.ts';
import { dom0SettingsSchema } from '../order/dom0-settings.ts';
import { countTraffic, type TrafficOptions } from '../worker/traffic.ts';

/** @param options what differs. Default: a handle of its own, of a dom0 with the usual settings */
export async function countOnce(dom0: FakeDom0, options: Partial<TrafficOptions> = {}): Promise<readonly Account[]> {
  const stop = new AbortController();
  const { cidr, gateway } = dom0.machine.options.network;
  let counted: readonly Account[] = [];
  await countTraffic({
    host: dom0.host(),
    settings: dom0SettingsSchema.parse({
      host: 'dom0',
      network: { cidr, gateway },
      kernel: '/boot/vmlinuz-1',
      initrd: '/boot/initrd.img-1',
    }),
    log: { info: () => undefined, warn: () => undefined },
    ...options,
    signal: stop.signal,
    onCounted(accounts) {
      counted = accounts;
      stop.abort();
    },
  });
  return counted;
}
