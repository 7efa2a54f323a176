/** The log of the xl process that watches over a guest: how its domain ended. */
import type { DomainEnd } from '../../../../contract/guest.ts';
import { checkedPattern } from '../../tools/arguments.ts';
import type { Host } from '../../../../system/host.ts';

/** A guest that reboots for years makes a long log. */
const READ_BYTES = 65_536;
/** Xen's SHUTDOWN_poweroff, SHUTDOWN_crash and SHUTDOWN_watchdog. Others (reboot, suspend) are no end. */
const ENDS: Readonly<Record<string, DomainEnd>> = { '0': 'shutdown', '3': 'crash', '4': 'crash' };

/** How the last domain of such a log ended; undefined if it runs, has rebooted, or was destroyed from outside. */
export function parseDomainEnd(text: string): DomainEnd | undefined {
  const last = [...text.matchAll(/^Domain \d+ has (?:shut down, reason code (\d+)|been destroyed)/gm)].at(-1);
  return ENDS[last?.[1] ?? ''];
}

/** How a guest's domain ended last; undefined if its xl does not tell. */
export async function domainEnd(host: Host, name: string): Promise<DomainEnd | undefined> {
  const path = `/var/log/xen/xl-${checkedPattern('name', name, /^[A-Za-z0-9][A-Za-z0-9._+-]*$/, 'it is no name of a guest')}.log`;
  const found = await host.files.info(path);
  if (found?.kind !== 'file') return undefined;
  const isLong = found.bytes > READ_BYTES;
  const text = isLong
    ? (await host.run('tail', ['-c', String(READ_BYTES), '--', path])).stdout
    : String((await host.files.read(path)) ?? '');
  return parseDomainEnd(text);
}
