/** The vifs of domains, as the kernel of the dom0 shows them. */
import type { Traffic } from '../../../../contract/usage.ts';
import type { Host } from '../../../../system/host.ts';

/** What the drivers of a dom0 serve to domains: `vif-DOMID-DEVID`, whatever name its interface has. */
const BACKENDS = '/sys/bus/xen-backend/devices';
/** What sysfs says of an interface that goes away just now. */
const GOING = new Set(['EINVAL', 'ENODEV']);

/**
 * The counters of a domain's vifs, by the number of the vif. What the dom0 receives at a vif, the guest has sent.
 *
 * @returns nothing of a vif without an interface: it goes away, or does not exist yet
 */
export async function vifCounters({ files }: Host, domid: number): Promise<Record<string, Traffic>> {
  const counters: Record<string, Traffic> = {};
  const vif = new RegExp(`^vif-${domid}-(\\d+)$`);
  for (const device of await files.list(BACKENDS)) {
    const devid = vif.exec(device)?.[1];
    const [name] = devid === undefined ? [] : await files.list(`${BACKENDS}/${device}/net`);
    if (devid === undefined || name === undefined) continue;
    const statistics = `${BACKENDS}/${device}/net/${name}/statistics`;
    const inBytes = await counter(files, `${statistics}/tx_bytes`);
    const outBytes = await counter(files, `${statistics}/rx_bytes`);
    if (inBytes !== undefined && outBytes !== undefined) counters[devid] = { inBytes, outBytes };
  }
  return counters;
}

async function counter(files: Host['files'], path: string): Promise<number | undefined> {
  try {
    const text = (await files.read(path))?.toString('latin1').trim() ?? '';
    return /^\d{1,20}$/.test(text) ? Number(text) : undefined;
  } catch (error) {
    if (error instanceof Error && 'code' in error && GOING.has(String(error.code))) return undefined;
    throw error;
  }
}
