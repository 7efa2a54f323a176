/** The guests' network as dom0 sees it: rows of the preflight. */
import type { PreflightRow } from '../../../contract/dom0.ts';
import { formatIpv4, lastOf, parseCidr } from '../../../contract/ipv4.ts';
import { ToolError } from '../../../system/run.ts';
import type { StepEnv } from '../env.ts';
import { isAmong, usedAddresses } from '../inventory/used-addresses.ts';
import { missing, ok, warning } from '../preflight-rows.ts';
import { hasBridge } from '../tools/net.ts';
import { whoHas } from './neighbours.ts';

export async function bridgeRow({ host, settings: { bridge } }: Pick<StepEnv, 'host' | 'settings'>): Promise<PreflightRow> {
  return (await hasBridge(host, bridge))
    ? ok('bridge', bridge)
    : missing(
        'bridge',
        `no bridge ${bridge}`,
        `add "auto ${bridge}" and "iface ${bridge} inet static" with bridge_ports to /etc/network/interfaces, then ifup ${bridge}`,
      );
}

/** How many addresses are probed at most: a machine may have an address that no cfg names. */
const MOST_ASKED = 3;

/** Addresses of the guests' network that no cfg of this dom0 uses, from its end, where networks are mostly empty. */
async function unusedAddresses(env: StepEnv): Promise<string[]> {
  const network = parseCidr(env.settings.network.cidr);
  if (network === undefined) return [];
  const used = (await usedAddresses(env)).flatMap(({ ips }) => ips);
  const found: string[] = [];
  for (let address = lastOf(network) - 1; address > network.first && found.length < MOST_ASKED; address -= 1) {
    const ip = formatIpv4(address);
    if (ip !== env.settings.network.gateway && !isAmong(used, ip)) found.push(ip);
  }
  return found;
}

/** Whether the router answers for addresses that no machine has. Linux with proxy_arp does not answer such probes, so it does no harm. */
export async function routerRow(env: StepEnv): Promise<PreflightRow> {
  const { host, settings } = env;
  const { bridge } = settings;
  const { gateway } = settings.network;
  if (!(await hasBridge(host, bridge))) return ok('router', `not asked: no bridge ${bridge}`);
  try {
    for (const ip of await unusedAddresses(env)) {
      const answer = await whoHas(env, { ip, bridge, gateway });
      if (answer === 'nobody') return ok('router', `nobody answers for ${ip}, which no guest has`);
      if (answer === 'router')
        return warning(
          'router',
          `the gateway ${gateway} answers for ${ip}, which no guest has (proxy ARP, private VLAN): an address that a machine elsewhere uses cannot be told from a free one`,
          `on the router, no proxy ARP towards ${bridge} (Linux: sysctl net.ipv4.conf.INTERFACE.proxy_arp=0, proxy_arp_pvlan=0); else list the addresses of other machines as network.exclude in /etc/guestflow/dom0.yaml`,
        );
    }
  } catch (error) {
    if (!(error instanceof ToolError) || error.cancelled) throw error;
    return warning('router', `cannot be asked: ${error.message}`, `mend what it says: without arping on ${bridge} no order is planned`);
  }
  return ok('router', `not told: other machines have the last free addresses of ${settings.network.cidr}`);
}
