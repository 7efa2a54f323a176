/**
 * Addresses of mirrors: which a guest may get its packages from, and how they are written down. apt, debootstrap and xen-tools' shell
 * scripts all read them, so the form is narrow. For the edge and the dom0, not for workflow code.
 */
import ipaddr from 'ipaddr.js';
import { eitherCase, numbersPattern } from './published-pattern.ts';

/** Names that mean the machine itself: RFC 6761 and Debian's /etc/hosts. */
const OWN_NAMES = /^(?:(?:.+\.)?localhost|localhost[46]?(?:\.localdomain[46]?)?|ip6-localhost|ip6-loopback)$/;

/** Where clouds answer with a machine's credentials, beside 169.254.169.254: AWS (IPv6), Google (IPv6 and name), Alibaba, Azure. */
const METADATA = ['fd00:ec2::254', 'fd20:ce::254', '100.100.100.200', '168.63.129.16'];
const METADATA_NAMES = /^(?:metadata|metadata\.google\.internal|instance-data(?:\..+)?)$/;

/** Kinds of addresses (ipaddr.js) that lead to the machine itself, to its own link, or nowhere. */
const KINDS: Readonly<Record<string, string>> = {
  unspecified: 'it means the dom0 itself',
  loopback: 'it is the dom0 itself',
  linkLocal: 'it is a link-local address, where clouds keep the credentials of machines',
  multicast: 'it is a multicast address',
};

/**
 * Why the dom0 should fetch nothing from this address for an order, or undefined.
 *
 * @param text an IPv4 or IPv6 address in any form; an IPv4 address within an IPv6 one (mapped, 6to4, NAT64) counts as itself
 */
export function whyNotMirrorAddress(text: string): string | undefined {
  if (!ipaddr.isValid(text)) return undefined;
  const parsed = ipaddr.parse(text);
  const address = parsed instanceof ipaddr.IPv6 ? within(parsed) : parsed;
  if (METADATA.some((known) => ipaddr.parse(known).toNormalizedString() === address.toNormalizedString()))
    return 'clouds answer there with the credentials of machines';
  // 0.0.0.0/8 is "this host"; Linux connects 0.0.0.0 to itself.
  if (address instanceof ipaddr.IPv4 && address.octets[0] === 0) return KINDS['unspecified'];
  if (address instanceof ipaddr.IPv4 && (address.octets[0] ?? 0) >= 240) return 'it is a reserved or a broadcast address';
  return KINDS[address.range()];
}

/** The IPv4 address that an IPv6 one leads to, else itself. */
function within(address: ipaddr.IPv6): ipaddr.IPv4 | ipaddr.IPv6 {
  if (address.isIPv4MappedAddress()) return address.toIPv4Address();
  const bytes = address.toByteArray();
  const kind = address.range();
  if (kind === '6to4') return new ipaddr.IPv4(bytes.slice(2, 6));
  if (kind === 'rfc6052' || bytes.slice(0, 12).every((byte) => byte === 0)) {
    const last = bytes.slice(12);
    // `::` and `::1` are themselves.
    if (kind === 'rfc6052' || (last[0] ?? 0) > 0) return new ipaddr.IPv4(last);
  }
  return address;
}

/** The address without what differs for nobody: scheme and host in lower case, percent-encoding of the host undone, no slash at the end. */
export function normalMirror(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  return url === undefined ? text : `${url.protocol}//${url.host}${url.pathname.replace(/\/+$/, '')}`;
}

const FORM = 'is no address of a mirror: http:// or https://, a host, and a path of plain characters, like http://mirror.example/debian';

const LONGEST = 250;

/**
 * `whyNotMirrorForm`, as JSON Schema says it: scheme, host, port, path, and no user name. Which hosts lead where they must not, in any
 * spelling of an address, no pattern can say.
 */
export const MIRROR_FORM = {
  pattern: `^(?!.*%40)${eitherCase('http')}[Ss]?://[A-Za-z0-9][A-Za-z0-9._~%+-]*(?::(?:0*${numbersPattern(1, 65_535)})?)?(?:/[A-Za-z0-9._~:/%+-]*)?$`,
  maxLength: LONGEST,
} as const;

/** Why this is no address of a mirror that the tools can read, or undefined. What a dom0's own settings may name. */
export function whyNotMirrorForm(text: string): string | undefined {
  if (/@|%40/i.test(text)) return 'must hold no user name or password: addresses of mirrors end up in files of the guest';
  if (/[?#]/.test(text)) return 'must hold no query and no fragment';
  if (/^https?:\/\/\[/i.test(text)) return 'must name its host, or give it as an IPv4 address: xen-tools takes no brackets';
  if (text.length > LONGEST) return `is longer than ${LONGEST} characters`;
  if (!/^https?:\/\/[A-Za-z0-9][A-Za-z0-9._~:/%+-]*$/i.test(text)) return FORM;
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || url.hostname === '') return FORM;
  return url.port === '0' ? 'has port 0, which is none' : undefined;
}

/** Why an order or a plan may not name this mirror, or undefined: it would have the dom0 fetch from itself, or from what only the dom0 reaches. */
export function whyNotMirror(text: string): string | undefined {
  const form = whyNotMirrorForm(text);
  if (form !== undefined) return form;
  const host = new URL(text).hostname.replace(/\.+$/, '').toLowerCase();
  const reason = OWN_NAMES.test(host)
    ? 'it is the dom0 itself'
    : METADATA_NAMES.test(host)
      ? 'clouds answer there with the credentials of machines'
      : whyNotMirrorAddress(host);
  return reason === undefined
    ? undefined
    : `cannot be the mirror of an order or plan: ${reason}; a mirror on the dom0 is named in the dom0's own settings`;
}
