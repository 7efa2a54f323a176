/**
 * `xenconsole`, the program that `xl console` becomes. It is started itself, since `xl console` cannot be told `--interactive`: without a terminal of its own,
 * xenconsole then prints what the guest prints, and leaves unread what is typed. (Both options are there from Xen 4.11 on; read in 4.17 and 4.20.)
 */
import { GuestflowError } from '../../../../contract/errors.ts';
import { READY_FD } from '../../../../system/attached.ts';
import type { Host } from '../../../../system/host.ts';
import { checkedDomainId } from '../../tools/arguments.ts';
import type { CommandLine } from '../port.ts';
import { hostInfo } from './xl.ts';

/** Debian has a directory of programs for each version of Xen, beside what Xen itself calls it. */
const [LIBRARY, OTHERS] = ['/usr/lib', ['/usr/lib/xen/bin', '/usr/libexec/xen/bin']] as const;

/** The first console of a domain: hvc0 of a Linux, paravirtual in PV and PVH guests alike. */
export async function xenconsoleCommand(host: Host, id: number): Promise<CommandLine> {
  const args = [checkedDomainId(id), '--num', '0', '--type', 'pv', '--interactive', '--start-notify-fd', String(READY_FD)];
  return { tool: await xenconsolePath(host), args };
}

/** That of the version that runs: of another version's, the protocol with the hypervisor may differ. */
async function xenconsolePath(host: Host): Promise<string> {
  const { xenVersion } = await hostInfo(host);
  const [version = xenVersion] = /^\d+\.\d+/.exec(xenVersion) ?? [];
  const directories = [`${LIBRARY}/xen-${version}/bin`, ...OTHERS];
  for (const directory of directories) {
    const path = `${directory}/xenconsole`;
    if ((await host.files.info(path)) !== undefined) return path;
  }
  throw new GuestflowError('HostNotReady', `xenconsole is in none of ${directories.join(', ')}`, {
    mend: 'install xen-utils of the Xen that runs',
  });
}
