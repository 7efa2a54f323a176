/** Rows of preflight that look at what others do around the guests: xendomains at a shutdown of the dom0, the router on their network. */
import type { PreflightRow } from '../../../contract/types.ts';
import { formatIpv4, lastOf, parseCidr } from '../../../contract/ipv4.ts';
import { hasBridge, whoAnswers } from '../tools/net.ts';
import { ToolError } from '../../../system/run.ts';
import { xendomainsSettings } from '../toolstack/xl/xendomains.ts';
import type { StepEnv } from '../step.ts';
import { isAmong, usedAddresses } from './used-addresses.ts';

function ok(row: string, found: string): PreflightRow {
  return { row, state: 'ok', found };
}

function warning(row: string, found: string, mend: string): PreflightRow {
  return { row, state: 'warning', found, mend };
}

const NOT_SAVED = 'in /etc/default/xendomains: XENDOMAINS_SAVE= (empty); guests are then shut down and started with their dom0';

/** Whether guests' memory is written to dom0's disk when it shuts down, and what becomes of it. */
export async function savedStatesRow({ host }: StepEnv): Promise<PreflightRow> {
  const { directory, restores } = await xendomainsSettings(host);
  if (directory === undefined) return ok('saved states', 'guests are shut down with their dom0, not saved');
  const saves = `xendomains saves the memory of guests to ${directory} when dom0 shuts down`;
  return warning(
    'saved states',
    restores
      ? `${saves}, and restores it at the next boot; what it cannot restore it tries again at each later one (XENDOMAINS_RESTORE is not empty)`
      : `${saves}, and never restores it: guests start as after a power cut (XENDOMAINS_RESTORE is empty)`,
    NOT_SAVED,
  );
}

/** So many addresses are asked for: somebody may have one of which no cfg tells. */
const MOST_ASKED = 3;

/** Addresses of the guests' network that no cfg of this dom0 has, from its end: there networks are mostly empty. */
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

/** Whether the router answers for addresses that no machine has. Linux with proxy_arp does not answer this way of asking, and is no trouble. */
export async function routerRow(env: StepEnv): Promise<PreflightRow> {
  const { host, settings, signal } = env;
  const { bridge } = settings;
  const { gateway } = settings.network;
  if (!(await hasBridge(host, bridge))) return ok('router', `not asked: no bridge ${bridge}`);
  try {
    for (const ip of await unusedAddresses(env)) {
      const answer = await whoAnswers(host, { ip, bridge, signal }, gateway);
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
