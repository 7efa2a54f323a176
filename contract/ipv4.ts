/** IPv4 addresses, netmasks and networks as numbers. Free of imports, so that workflow code can use it. */

/** A network: its first address, its prefix length. */
export interface Ipv4Network {
  readonly first: number;
  readonly prefix: number;
}

/**
 * The number of a dotted quad, or undefined when it is none. Leading zeros are refused: some tools read them as octal.
 *
 * @returns 0 … 2³²−1
 */
export function parseIpv4(text: string): number | undefined {
  const match = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})$/.exec(text);
  if (match === null) return undefined;
  const octets = match.slice(1);
  if (octets.some((octet) => (octet.length > 1 && octet.startsWith('0')) || Number(octet) > 255)) return undefined;
  return octets.reduce((sum, octet) => sum * 256 + Number(octet), 0);
}

/** The dotted quad of a number. */
export function formatIpv4(address: number): string {
  return [24, 16, 8, 0].map((shift) => String((address >>> shift) & 255)).join('.');
}

/** The prefix length of a netmask, or undefined when its ones are not all in front. `255.255.252.0` → 22. */
export function prefixOfNetmask(netmask: string): number | undefined {
  const mask = parseIpv4(netmask);
  if (mask === undefined) return undefined;
  const prefix = mask.toString(2).replaceAll('0', '').length;
  return maskOf(prefix) === mask ? prefix : undefined;
}

/** The netmask of a prefix length. 22 → `255.255.252.0`. */
export function netmaskOfPrefix(prefix: number): string {
  return formatIpv4(maskOf(prefix));
}

/** The network that an address is in. */
export function networkOf(address: number, prefix: number): Ipv4Network {
  return { first: (address & maskOf(prefix)) >>> 0, prefix };
}

/** The last address of a network. */
export function lastOf(network: Ipv4Network): number {
  return network.first + 2 ** (32 - network.prefix) - 1;
}

/** A network as `192.168.77.0/24`, or undefined when it is none. Bits behind the prefix may be set: `192.168.77.1/24` is the same. */
export function parseCidr(text: string): Ipv4Network | undefined {
  const match = /^([\d.]+)\/(\d{1,2})$/.exec(text);
  const address = parseIpv4(match?.[1] ?? '');
  const prefix = Number(match?.[2] ?? '33');
  return address === undefined || prefix > 32 ? undefined : networkOf(address, prefix);
}

/** A network as `192.168.77.0/24`. */
export function formatCidr(network: Ipv4Network): string {
  return `${formatIpv4(network.first)}/${network.prefix}`;
}

/** Whether an address lies in a network. */
export function inNetwork(address: number, network: Ipv4Network): boolean {
  return address >= network.first && address <= lastOf(network);
}

/** Why a network of guests cannot have this prefix length, or undefined. A /31 has two machines and no broadcast address (RFC 3021). */
export function whyNotPrefix(prefix: number): string | undefined {
  return prefix < 8 || prefix > 31 ? 'a network of guests has a prefix of 8 to 31 bits' : undefined;
}

/** The broadcast address of a network; of a /31, which has none of its own, that of every link. */
export function broadcastOf(network: Ipv4Network): number {
  return network.prefix >= 31 ? 0xffffffff : lastOf(network);
}

/** Why no machine can have this address anywhere, or undefined when one can. */
export function whyNotUnicast(address: number): string | undefined {
  const first = address >>> 24;
  if (first === 0) return 'is of "this network" (it starts with 0), not a machine\'s';
  if (first === 127) return 'is a loopback address';
  if (first >= 224 && first < 240) return 'is a multicast address';
  if (first >= 240) return 'is reserved or a broadcast address';
  return undefined;
}

/** Why a machine of this network cannot have this address, or undefined when it can. */
export function whyNotHostIn(address: number, network: Ipv4Network): string | undefined {
  if (!inNetwork(address, network)) return `it is not in the network ${formatCidr(network)}`;
  if (network.prefix >= 31) return undefined;
  if (address === network.first) return `it is the address of the network ${formatCidr(network)} itself`;
  if (address === lastOf(network)) return `it is the broadcast address of ${formatCidr(network)}`;
  return undefined;
}

function maskOf(prefix: number): number {
  return prefix === 0 ? 0 : (0xffffffff << (32 - prefix)) >>> 0;
}

/** The broadcast address of the network in which this address is. */
export function broadcastText({ ip, netmask }: { readonly ip: string; readonly netmask: string }): string {
  return formatIpv4(broadcastOf(networkOf(parseIpv4(ip) ?? 0, prefixOfNetmask(netmask) ?? 32)));
}
