/** The addresses of a network: which there are, which are held and by whom, how many are left. Pure; for the network's ledger and for whoever shows it. */
import type { NetworkState } from './capacity.ts';
import { lastOf, parseCidr, parseIpv4 } from './ipv4.ts';

/** If something answered at an address, the address is not tried again for a day. */
const TAKEN_FOR_MS = 86_400_000;

/** Addresses, as numbers, from the first to the last one. */
export interface Span {
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

/** Where addresses are leased from, in the order in which they are tried; undefined if the network is none. */
export function leasedFrom({ cidr, settings: { ranges } }: NetworkState): Span[] | undefined {
  const network = parseCidr(cidr);
  if (network === undefined) return undefined;
  const whole = { first: network.first, last: lastOf(network) };
  return ranges.length === 0
    ? [whole]
    : spansOf(ranges).map(({ first, last }) => ({ first: Math.max(first, whole.first), last: Math.min(last, whole.last) }));
}

/** What is never leased. */
export function excluded({ settings, members }: NetworkState): Span[] {
  return spansOf([...settings.exclude, ...members.flatMap(({ exclude }) => exclude)]);
}

/** Who has each address, in words. A cfg file may belong to the guest that asks, so each entry names its guest. */
export function holders({
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

/** The network without what holds no longer at this time. */
export function withoutOver(state: NetworkState, now: string): NetworkState {
  const yesterday = new Date(Date.parse(now) - TAKEN_FOR_MS).toISOString();
  return {
    ...state,
    quarantined: state.quarantined.filter(({ until }) => until > now),
    taken: state.taken.filter(({ seenAt }) => seenAt > yesterday),
  };
}

/** How many addresses could be leased at this time. It counts no single address: a network may have sixteen million. */
export function countFree(before: NetworkState, now: string): number {
  const state = withoutOver(before, now);
  const network = parseCidr(state.cidr);
  if (network === undefined) return 0;
  const isPair = network.prefix >= 31;
  const ends = isPair ? [] : [network.first, lastOf(network)].map((address) => ({ first: address, last: address }));
  const left = without(union(leasedFrom(state) ?? []), [...excluded(state), ...ends]);
  const held = [...holders(state).keys()].map((ip) => parseIpv4(ip) ?? -1).filter((address) => isIn(address, left));
  return left.reduce((sum, { first, last }) => sum + last - first + 1, 0) - held.length;
}

export function isIn(address: number, spans: readonly Span[]): boolean {
  return spans.some(({ first, last }) => address >= first && address <= last);
}

/** The same addresses, each in one span only. */
function union(spans: readonly Span[]): Span[] {
  return spans.reduce<Span[]>((seen, span) => [...seen, ...without([span], seen)], []);
}

function without(spans: readonly Span[], never: readonly Span[]): Span[] {
  return never.reduce<Span[]>(
    (left, hole) =>
      left.flatMap(({ first, last }) =>
        [
          { first, last: Math.min(last, hole.first - 1) },
          { first: Math.max(first, hole.last + 1), last },
        ].filter((span) => span.first <= span.last),
      ),
    spans.filter((span) => span.first <= span.last),
  );
}
