/** Who has which address of a network: pure, so that it can be tested as a table. */
import { QUARANTINE_SECONDS, type Lease, type LeaseRequest, type NetworkJoin, type NetworkState } from '../../contract/capacity.ts';
import { parseCidr, parseIpv4, whyNotHostIn, whyNotPrefix } from '../../contract/ipv4.ts';
import { spanOf, withoutOver } from '../../contract/network-addresses.ts';
import type { LedgerRefusal } from './ledger.ts';
import { freeMac, macFor, nextFree, refuse, whyNotThis } from './free-addresses.ts';
import { firstOf64, ip6Of, isIpv6 } from './lease-addresses.ts';

/** The network after a dom0 or an operator has said what it is. */
export function joined(state: NetworkState, { gateway, members, settings }: NetworkJoin): NetworkState | LedgerRefusal {
  const texts = [...(settings?.ranges ?? []), ...(settings?.exclude ?? []), ...members.flatMap(({ exclude }) => exclude)];
  const network = parseCidr(state.cidr);
  const tooSmall = network === undefined ? undefined : whyNotPrefix(network.prefix);
  if (tooSmall !== undefined) return refuse('InvalidInput', `network ${state.cidr} cannot be: ${tooSmall}`, 'cidr');
  const reason = network === undefined ? 'there is no such network' : whyNotHostIn(parseIpv4(gateway) ?? 0, network);
  if (reason !== undefined) return refuse('InvalidInput', `gateway ${gateway} of network ${state.cidr} cannot be: ${reason}`, 'gateway');
  if (settings?.ipv6 !== undefined && ip6Of(settings.ipv6, gateway) === undefined)
    return refuse('InvalidInput', `${settings.ipv6} is no IPv6 network of 64 bits, like 2001:db8:0:1::/64`, 'ipv6');
  const gateway6 = settings?.ipv6Gateway;
  if (gateway6 !== undefined && (settings?.ipv6 === undefined || !isIpv6(gateway6)))
    return refuse(
      'InvalidInput',
      settings?.ipv6 === undefined ? `IPv6 gateway ${gateway6} needs an IPv6 network beside it` : `${gateway6} is no IPv6 address`,
      'ipv6Gateway',
    );
  const wrong = texts.find((text) => spanOf(text) === undefined);
  if (wrong !== undefined)
    return refuse(
      'InvalidInput',
      `${wrong} is no address, range or network: write 192.0.2.10, 192.0.2.10-192.0.2.19 or 192.0.2.0/28`,
      'ranges',
    );
  if (settings === undefined && gateway !== state.settings.gateway) {
    return refuse(
      'HostNotReady',
      `network ${state.cidr} has gateway ${state.settings.gateway}; dom0 ${members[0]?.dom0 ?? ''} says ${gateway}: correct its dom0.yaml, or guestflow network add ${state.cidr} --gateway ${gateway}`,
      'network',
    );
  }
  const others = state.members.filter(({ dom0 }) => !members.some((member) => member.dom0 === dom0));
  return { ...state, settings: settings ?? state.settings, members: [...others, ...members] };
}

/** A network without leases. */
export function newNetwork(cidr: string, gateway: string): NetworkState {
  return {
    cidr,
    settings: { gateway, ranges: [], exclude: [], quarantineSeconds: QUARANTINE_SECONDS },
    members: [],
    leases: [],
    quarantined: [],
    taken: [],
  };
}

/** Leases an address, or says why not. The same order gets the address that it had, even from quarantine. */
export function lease(
  before: NetworkState,
  request: LeaseRequest,
  now: string,
): { readonly state: NetworkState; readonly lease: Lease } | LedgerRefusal {
  const state = withoutOver(before, now);
  const own = state.leases.find(({ guest }) => guest === request.guest);
  if (own !== undefined && own.order !== request.order)
    return refuse('NotOurs', `the name ${request.guest} has address ${own.ip} by order ${own.order}`, 'name');
  if (own !== undefined)
    return request.ip === undefined || request.ip === own.ip
      ? { state, lease: own }
      : refuse('InvalidInput', `${request.guest} has address ${own.ip}, not ${request.ip}`);
  const former = state.quarantined.find(
    ({ guest, order, ip }) => guest === request.guest && order === request.order && !state.taken.some((entry) => entry.ip === ip),
  );
  const ip = request.ip === undefined ? (former?.ip ?? nextFree(state)) : (whyNotThis(state, request, request.ip) ?? request.ip);
  if (typeof ip !== 'string') return ip;
  const mac = macFor(state, request, former);
  if (typeof mac !== 'string') return mac;
  const made: Lease = { guest: request.guest, order: request.order, ip, mac, since: now, ...ipv6For(state, ip) };
  // The address is in use again: it leaves quarantine.
  const quarantined = state.quarantined.filter((entry) => entry.ip !== ip);
  return { state: { ...state, quarantined, leases: [...state.leases, made] }, lease: made };
}

/** The IPv6 address beside an IPv4 address. Both are leased, quarantined and given back together. */
function ipv6For({ settings: { ipv6, ipv6Gateway } }: NetworkState, ip: string): Pick<Lease, 'ip6' | 'gateway6'> {
  const ip6 = ipv6 === undefined ? undefined : ip6Of(ipv6, ip);
  return ipv6 === undefined || ip6 === undefined ? {} : { ip6, gateway6: ipv6Gateway ?? firstOf64(ipv6) };
}

/** Takes an order's address back, into quarantine: no other order gets it for a while. */
export function returned(before: NetworkState, { guest, order }: { guest: string; order: string }, now: string): NetworkState {
  const state = withoutOver(before, now);
  const own = state.leases.find((entry) => entry.guest === guest && entry.order === order);
  if (own === undefined) return state;
  const until = new Date(Date.parse(now) + state.settings.quarantineSeconds * 1000).toISOString();
  // Its cfg was removed before the lease is given back.
  const members = state.members.map((member) => ({
    ...member,
    addresses: member.addresses.filter((used) => used.guest !== guest || used.ip !== own.ip),
  }));
  return {
    ...state,
    members,
    leases: state.leases.filter((entry) => entry !== own),
    quarantined: [...state.quarantined, { ...own, until }],
  };
}

/** Something answers at the address of this order's lease: marks the address, and leases another one. If it is asked again, it gives the same one. */
export function replaced(
  before: NetworkState,
  request: LeaseRequest & { readonly ip: string; readonly dom0: string },
  now: string,
): ReturnType<typeof lease> {
  const { ip, dom0, ...rest } = request;
  const own = before.leases.find(({ guest, order }) => guest === request.guest && order === request.order);
  if (own !== undefined && own.ip !== ip) return { state: before, lease: own };
  const taken = [...before.taken.filter((entry) => entry.ip !== ip), { ip, dom0, seenAt: now }];
  return lease({ ...before, taken, leases: before.leases.filter((entry) => entry !== own) }, rest, now);
}

/** Another network has given the MAC of this order's lease: gives it another MAC, made of the name and the former MAC. Asked again, it gives the same one. */
export function withOtherMac(
  before: NetworkState,
  { guest, order, mac }: { readonly guest: string; readonly order: string; readonly mac: string },
  now: string,
): ReturnType<typeof lease> {
  const state = withoutOver(before, now);
  const own = state.leases.find((entry) => entry.guest === guest && entry.order === order);
  if (own === undefined) return refuse('NotOurs', `${guest} of order ${order} has no address in network ${state.cidr}`, 'name');
  if (own.mac !== mac) return { state, lease: own };
  const made: Lease = {
    ...own,
    mac: freeMac(`${guest}/${mac}`, new Set([...state.quarantined, ...state.leases].map((entry) => entry.mac))),
  };
  return { state: { ...state, leases: state.leases.map((entry) => (entry === own ? made : entry)) }, lease: made };
}

/** The guest that has this MAC, or had it lately; undefined if none. */
export function holderOfMac({ leases, quarantined }: NetworkState, mac: string): string | undefined {
  return [...leases, ...quarantined].find((entry) => entry.mac === mac)?.guest;
}
