/** The addresses that the cfg files of a dom0 use, ours or made by hand: they are taken, whether their guests run or not. */
import { BlockList, isIP, isIPv6 } from 'node:net';
import {
  formatIpv4,
  inNetwork,
  lastOf,
  networkOf,
  parseCidr,
  parseIpv4,
  prefixOfNetmask,
  type Ipv4Network,
} from '../../../contract/ipv4.ts';
import type { StepEnv } from '../env.ts';
import { namedAddresses } from './cfg-addresses.ts';

/** What another cfg on this dom0 uses. */
export interface UsedAddress {
  /** NAME of /etc/xen/NAME.cfg; of every other file its path, which is no guest's name. */
  readonly guest: string;
  readonly cfg: string;
  /** Each IPv4 address; IPv6 addresses in their shortest form, or with a prefix length as far as one counts whole. */
  readonly ips: readonly string[];
  readonly mac: string | undefined;
}

/** Larger blocks than /24 are not counted address by address. */
const LARGEST_BLOCK_PREFIX = 24;
/** A guest's network has this prefix length: a shorter or the same one names no block of one guest. */
const IPV6_NETWORK_PREFIX = 64;
/** IPv6 addresses can be written in many ways; this is one. */
export function canonicalAddress(address: string): string {
  return isIPv6(address) ? new URL(`http://[${address}]`).hostname.slice(1, -1) : address;
}

/**
 * The addresses of one word of `ip=`. With a prefix length the hotplug script lets all of that block through, so all of it is taken. A prefix
 * length as short as the network's is the network's own (`192.0.2.9/24`): one address. So is a block that is larger than a /24.
 */
export function addressesIn(word: string, network: Ipv4Network | undefined): string[] {
  const [address = '', length] = word.split('/');
  const prefix = length !== undefined && /^\d{1,3}$/.test(length) ? Number(length) : prefixOfNetmask(length ?? '');
  const version = isIP(address);
  if (version === 0)
    return readingsOf(address).flatMap((reading) => addressesIn([reading, length].join(length === undefined ? '' : '/'), network));
  if (version === 6) {
    const isBlock = prefix !== undefined && prefix > IPV6_NETWORK_PREFIX && prefix < 128;
    return [isBlock ? `${canonicalAddress(address)}/${String(prefix)}` : canonicalAddress(address)];
  }
  const number = version === 4 ? parseIpv4(address) : undefined;
  if (number === undefined) return [];
  const isOfNetwork = network !== undefined && inNetwork(number, network) && prefix !== undefined && prefix <= network.prefix;
  if (prefix === undefined || prefix > 32 || prefix < LARGEST_BLOCK_PREFIX || isOfNetwork) return [address];
  const block = networkOf(number, prefix);
  return Array.from({ length: lastOf(block) - block.first + 1 }, (_, index) => formatIpv4(block.first + index));
}

/** Whether one of these addresses is the wanted one, or a block that contains it. */
export function isAmong(ips: readonly string[], wanted: string): boolean {
  const canonical = canonicalAddress(wanted);
  return ips.some((used) => {
    const [address = '', length] = used.split('/');
    if (length === undefined || !isIPv6(canonical)) return used === canonical;
    const block = new BlockList();
    block.addSubnet(address, Number(length), 'ipv6');
    return block.check(canonical, 'ipv6');
  });
}

/** An address with zeros in front: people mean it as it looks, and tools read such a number as octal. */
function readingsOf(address: string): string[] {
  if (!/^\d{1,4}(?:\.\d{1,4}){3}$/.test(address)) return [];
  const decimal = address.split('.').map(Number).join('.');
  const octal = URL.canParse(`http://${address}/`) ? new URL(`http://${address}/`).hostname : decimal;
  return [...new Set([decimal, octal])].filter((reading) => isIP(reading) === 4);
}

function guestOf(cfg: string): string {
  return /^\/etc\/xen\/([^/]+)\.cfg$/.exec(cfg)?.[1] ?? cfg;
}

/** The addresses in all cfg files of this dom0, ours or made by hand. */
export async function usedAddresses({ toolstack, settings }: StepEnv): Promise<UsedAddress[]> {
  const network = parseCidr(settings.network.cidr);
  return (await toolstack.cfgs()).flatMap(({ path: cfg, bytes }) =>
    (namedAddresses(bytes) ?? []).map(({ words, mac }) => ({
      guest: guestOf(cfg),
      cfg,
      ips: words.flatMap((word) => addressesIn(word, network)),
      mac,
    })),
  );
}
