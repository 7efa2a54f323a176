/** Which addresses and MACs of a network are free, and who has the others: pure. */
import type { Lease, LeaseRequest, NetworkState } from '../../contract/capacity.ts';
import { formatIpv4, parseCidr, parseIpv4, whyNotHostIn } from '../../contract/ipv4.ts';
import { excluded, holders, isIn, leasedFrom } from '../../contract/network-addresses.ts';
import { macFrom } from './lease-addresses.ts';
import type { LedgerRefusal } from './ledger.ts';

/** @param field of the order or the network that is refused. Default: ip */
export function refuse(type: LedgerRefusal['type'], message: string, field = 'ip'): LedgerRefusal {
  return { type, message, field };
}

/** Why an order may not have the address that it names. It may name an address at which something has answered: the dom0 probes it again. */
export function whyNotThis(state: NetworkState, request: LeaseRequest, ip: string): LedgerRefusal | undefined {
  const network = parseCidr(state.cidr);
  const address = parseIpv4(ip);
  if (network === undefined || address === undefined) return refuse('InvalidInput', `ip ${ip} is no address`);
  const reason = whyNotHostIn(address, network);
  if (reason !== undefined) return refuse('InvalidInput', `ip ${ip} cannot be used: ${reason}`);
  if (isIn(address, excluded(state))) return refuse('InvalidInput', `ip ${ip} is excluded from network ${state.cidr}`);
  const holder = holders({ ...state, taken: [] }).get(ip);
  return holder === undefined || (holder.guest === request.guest && !state.leases.some((entry) => entry.ip === ip))
    ? undefined
    : refuse('InvalidInput', `ip ${ip} is taken: ${holder.reason}`);
}

export function nextFree(state: NetworkState): string | LedgerRefusal {
  const network = parseCidr(state.cidr);
  if (network === undefined) return refuse('HostNotReady', `${state.cidr} is no network`, 'network');
  const never = excluded(state);
  const held = holders(state);
  for (const { first, last } of leasedFrom(state) ?? []) {
    for (let address = first; address <= last; address += 1) {
      const ip = formatIpv4(address);
      if (!held.has(ip) && whyNotHostIn(address, network) === undefined && !isIn(address, never)) return ip;
    }
  }
  const { leases, quarantined } = state;
  return refuse(
    'NoCapacity',
    `network ${state.cidr} has no address free: ${leases.length} leased, ${quarantined.length} in quarantine, 1 short`,
  );
}

export function macFor(state: NetworkState, request: LeaseRequest, former: Lease | undefined): string | LedgerRefusal {
  const used = new Map([...state.quarantined, ...state.leases].map(({ mac, guest }) => [mac, guest]));
  if (request.mac !== undefined) {
    const holder = used.get(request.mac);
    return holder === undefined || holder === request.guest
      ? request.mac
      : refuse('InvalidInput', `mac ${request.mac} is taken: ${holder} has it`, 'mac');
  }
  if (former !== undefined) return former.mac;
  return freeMac(request.guest, used);
}

/** The first free MAC that is made of this name. */
export function freeMac(name: string, used: { has(mac: string): boolean }): string {
  for (let salt = 0; ; salt += 1) {
    const mac = macFrom(`${name}/${salt}`);
    if (!used.has(mac)) return mac;
  }
}
