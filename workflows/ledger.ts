/** What of a dom0 is promised to whom: pure, so that it can be tested as a table. */
import type { Dom0Facts, Dom0State, Reservation, ReserveRequest } from '../contract/types.ts';
import { formatIpv4, lastOf, netmaskOfPrefix, parseCidr, parseIpv4, whyNotHostIn } from '../contract/ipv4.ts';
import { formatSize } from '../contract/sizes.ts';

/** A refusal: type, message and field, for an ApplicationFailure. */
export interface Refusal {
  readonly type: 'InvalidInput' | 'NoCapacity' | 'HostNotReady' | 'NotOurs';
  readonly message: string;
  readonly field: string;
}

type Promised = Dom0State['promised'][number];

/** Promises an order its address and its part of the dom0, or says why not. The same order again gets what it has. */
export function reserve(state: Dom0State, request: ReserveRequest, now: string): { promise: Promised; reservation: Reservation } | Refusal {
  const { facts } = state;
  if (facts === undefined) return { type: 'HostNotReady', message: `dom0 ${state.host} has not said yet what it has: is its worker running?`, field: 'dom0' };
  const own = state.promised.find((promise) => promise.guest === request.guest);
  if (own !== undefined && own.order !== request.order) return { type: 'NotOurs', message: `the name ${request.guest} is promised to order ${own.order}`, field: 'name' };
  if (own !== undefined) return changed(state, facts, own, request);
  if (state.drained) return { type: 'NoCapacity', message: `dom0 ${state.host} is drained: it takes no new guests`, field: 'dom0' };
  const short = shortage(state, facts, request);
  if (short !== undefined) return short;
  const ip = request.ip === undefined ? freeAddress(state, facts) : checkAddress(state, facts, request.ip);
  if (typeof ip !== 'string') return ip;
  return { promise: { ...request, ip, since: now }, reservation: reservationOf(facts, ip) };
}

/** A guest that is promised something else keeps its address, and what it had if that cannot be. */
function changed(state: Dom0State, facts: Dom0Facts, own: Promised, request: ReserveRequest): { promise: Promised; reservation: Reservation } | Refusal {
  const others = { ...state, promised: state.promised.filter((promise) => promise !== own) };
  const isMore = request.memoryBytes > own.memoryBytes || request.diskBytes > own.diskBytes || request.vcpus > own.vcpus;
  const short = isMore ? shortage(others, facts, request) : undefined;
  return short ?? { promise: { ...own, memoryBytes: request.memoryBytes, vcpus: request.vcpus, diskBytes: request.diskBytes }, reservation: reservationOf(facts, own.ip) };
}

function reservationOf(facts: Dom0Facts, ip: string): Reservation {
  const prefix = parseCidr(facts.network.cidr)?.prefix ?? 24;
  return { ip, netmask: netmaskOfPrefix(prefix), gateway: facts.network.gateway, bridge: facts.network.bridge };
}

/** Xen does not page: memory that is promised twice is not there. Against the whole of dom0's memory; the dom0 itself looks at what is free. */
function shortage(state: Dom0State, facts: Dom0Facts, request: ReserveRequest): Refusal | undefined {
  const sum = (of: (promise: Promised) => number): number => state.promised.reduce((total, promise) => total + of(promise), 0);
  const shortMemory = sum((promise) => promise.memoryBytes) + request.memoryBytes - facts.memoryBytes;
  if (shortMemory > 0) return { type: 'NoCapacity', message: `dom0 ${state.host} is ${formatSize(shortMemory)} of memory short for ${request.guest}`, field: 'memory' };
  const shortDisk = sum((promise) => promise.diskBytes) + request.diskBytes - facts.volumeGroupBytes;
  if (shortDisk > 0) return { type: 'NoCapacity', message: `volume group ${facts.volumeGroup} of dom0 ${state.host} is ${formatSize(shortDisk)} short for ${request.guest}`, field: 'disk' };
  return undefined;
}

function takenAddresses(state: Dom0State, facts: Dom0Facts): Map<string, string> {
  return new Map([...facts.addresses.map(({ ip, guest }) => [ip, guest] as const), ...state.promised.map(({ ip, guest }) => [ip, guest] as const), [facts.network.gateway, 'the gateway'] as const]);
}

function checkAddress(state: Dom0State, facts: Dom0Facts, ip: string): string | Refusal {
  const network = parseCidr(facts.network.cidr);
  const address = parseIpv4(ip);
  if (network === undefined || address === undefined) return { type: 'InvalidInput', message: `ip ${ip} is no address`, field: 'ip' };
  const reason = whyNotHostIn(address, network);
  if (reason !== undefined) return { type: 'InvalidInput', message: `ip ${ip} cannot be used on dom0 ${state.host}: ${reason}`, field: 'ip' };
  const holder = takenAddresses(state, facts).get(ip);
  return holder === undefined ? ip : { type: 'InvalidInput', message: `ip ${ip} is taken: ${holder} has it`, field: 'ip' };
}

function freeAddress(state: Dom0State, facts: Dom0Facts): string | Refusal {
  const network = parseCidr(facts.network.cidr);
  const taken = takenAddresses(state, facts);
  if (network !== undefined) {
    for (let address = network.first + 1; address < lastOf(network); address += 1) {
      const ip = formatIpv4(address);
      if (!taken.has(ip)) return ip;
    }
  }
  return { type: 'NoCapacity', message: `network ${facts.network.cidr} of dom0 ${state.host} has no address free`, field: 'ip' };
}
