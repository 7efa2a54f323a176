/** Which addresses and MACs of a network are free, and who has the others: pure. */
import type { Lease, LeaseRequest, NetworkState } from '../../contract/capacity.ts';
import { formatIpv4, lastOf, parseCidr, parseIpv4, whyNotHostIn } from '../../contract/ipv4.ts';
import { macFrom } from './lease-addresses.ts';
import type { LedgerRefusal } from './ledger.ts';

interface Span {
  readonly first: number;
  readonly last: number;
}

/** The first and last address of `192.0.2.10`, `192.0.2.10-192.0.2.19` or `192.0.2.0/28`. */
export function spanOf(text: string): Span | undefined {
  const network = parseCidr(text);
  if (network !== undefined) return { first: network.first, last: lastOf(network) };
  const [from = '', to = from] = text.split('-');
  const [first, last] = [parseIpv4(from), parseIpv4(to)];
  return first === undefined || last === undefined || first > last ? undefined : { first, last };
}

function spansOf(texts: readonly string[]): Span[] {
  return texts.map(spanOf).filter((span) => span !== undefined);
}

function isIn(address: number, spans: readonly Span[]): boolean {
  return spans.some(({ first, last }) => address >= first && address <= last);
}

/** @param field of the order or the network that is refused. Default: ip */
export function refuse(type: LedgerRefusal['type'], message: string, field = 'ip'): LedgerRefusal {
  return { type, message, field };
}

/** Who has each address, in words. A cfg file may belong to the guest that asks, so each entry names its guest. */
function holders({
  settings,
  members,
  leases,
  quarantined,
  taken,
}: NetworkState): Map<string, { readonly guest?: string; readonly reason: string }> {
  return new Map<string, { guest?: string; reason: string }>([
    ...taken.map(({ ip, dom0, seenAt }) => [ip, { reason: `something answered at it on dom0 ${dom0} at ${seenAt}` }] as const),
    ...quarantined.map(
      ({ ip, guest, until }) => [ip, { guest, reason: `${guest} had it, and other machines may remember that until ${until}` }] as const,
    ),
    ...members.flatMap(({ dom0, addresses }) =>
      addresses.map(({ ip, guest }) => [ip, { guest, reason: `${guest} on dom0 ${dom0} has it` }] as const),
    ),
    ...leases.map(({ ip, guest }) => [ip, { guest, reason: `${guest} has it` }] as const),
    [settings.gateway, { reason: 'it is the gateway' }] as const,
  ]);
}

function excluded({ settings, members }: NetworkState): Span[] {
  return spansOf([...settings.exclude, ...members.flatMap(({ exclude }) => exclude)]);
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
  const spans = state.settings.ranges.length === 0 ? [{ first: network.first, last: lastOf(network) }] : spansOf(state.settings.ranges);
  for (const { first, last } of spans) {
    for (let address = Math.max(first, network.first); address <= Math.min(last, lastOf(network)); address += 1) {
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
