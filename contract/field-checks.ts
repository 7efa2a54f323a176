/**
 * What each field of an order may hold. A check returns why a value is refused, or undefined; the schemas of orders, plans and
 * specs are made of them, so that the command line, the gateway and the dom0 refuse the same values with the same words.
 *
 * Every value here ends up in a file or in an argument of a tool that runs as root: each has a pattern that leaves no room for quotes,
 * blanks, control characters or a leading hyphen.
 */
import { parseIpv4, prefixOfNetmask, whyNotUnicast } from './ipv4.ts';
import { formatSize, GiB, MiB, parseSize } from './sizes.ts';

/** Why a value is refused, or undefined. */
export type Check<T = string> = (value: T) => string | undefined;

/** Distributions that guestflow makes images of: those that a Debian 12 dom0 can debootstrap and that boot with systemd. */
export const DISTRIBUTIONS = ['bullseye', 'bookworm', 'trixie', 'focal', 'jammy'] as const;

/** LVM's usual extent: volumes are multiples of it, so a size that is not would be silently rounded. */
const EXTENT = 4 * MiB;

/** Smallest and largest size of each kind, in bytes. */
export const SIZE_BOUNDS = {
  memory: { least: 64 * MiB, most: 1024 * GiB, step: MiB },
  disk: { least: GiB, most: 16 * 1024 * GiB, step: EXTENT },
  swap: { least: 16 * MiB, most: 256 * GiB, step: EXTENT },
} as const;

/** Most virtual cpus of a guest. */
export const MOST_VCPUS = 64;

/** Checks a size in bytes against the bounds of its kind. */
export function whyNotBytes(kind: keyof typeof SIZE_BOUNDS, bytes: number): string | undefined {
  const { least, most, step } = SIZE_BOUNDS[kind];
  if (!Number.isSafeInteger(bytes)) return 'is no whole number of bytes';
  if (bytes < least) return `is less than ${formatSize(least)}`;
  if (bytes > most) return `is more than ${formatSize(most)}`;
  if (bytes % step !== 0) return `is no multiple of ${formatSize(step)}`;
  return undefined;
}

/** Checks a size as people write it. */
export function whyNotSize(kind: keyof typeof SIZE_BOUNDS): Check {
  return (text) => {
    if (/^[\d.]+$/.test(text.trim())) return `has no unit: write "${text.trim()}MiB" or "${text.trim()}GiB"`;
    const bytes = parseSize(text);
    if (bytes === undefined) return 'is no size in whole MiB: write it like "512Mb", "8Gb" or "1.5GiB"';
    return whyNotBytes(kind, bytes);
  };
}

/** An address that a machine can have. */
export const whyNotAddress: Check = (text) => {
  const address = parseIpv4(text);
  return address === undefined
    ? 'is no IPv4 address (four numbers 0-255 without leading zeros, like 192.168.77.11)'
    : whyNotUnicast(address);
};

export const whyNotNetmask: Check = (text) => {
  if (parseIpv4(text) === undefined) return 'is no netmask (like 255.255.252.0)';
  const prefix = prefixOfNetmask(text);
  if (prefix === undefined) return 'is no netmask: its one bits are not all in front';
  return prefix < 8 || prefix > 30 ? 'is no netmask of a network of guests: /8 (255.0.0.0) to /30 (255.255.255.252)' : undefined;
};

/** The name of a network interface in Linux: 15 characters. */
export const whyNotBridge: Check = (text) =>
  /^[a-zA-Z0-9][a-zA-Z0-9._-]{0,14}$/.test(text)
    ? undefined
    : 'is no name of a bridge: 1-15 letters, digits, dots, hyphens, underscores, like xenbr0';

/** A MAC as it is kept: upper case with colons. */
export function normalMac(text: string): string {
  return text.replaceAll('-', ':').toUpperCase();
}

export const whyNotMac: Check = (text) => {
  const mac = normalMac(text);
  if (!/^([0-9A-F]{2}:){5}[0-9A-F]{2}$/.test(mac)) return 'is no MAC address (six pairs of hexadecimal digits, like 00:16:3E:12:34:56)';
  const first = Number.parseInt(mac.slice(0, 2), 16);
  if ((first & 1) === 1) return 'is a multicast address, no network card can have it';
  if ((first & 2) === 0 && !mac.startsWith('00:16:3E:'))
    return 'belongs to a manufacturer: take one that starts with 00:16:3E (Xen), or a locally administered one (02:…)';
  return undefined;
};

export const whyNotDist: Check = (text) =>
  DISTRIBUTIONS.some((dist) => dist === text) ? undefined : `is no distribution that guestflow knows: ${DISTRIBUTIONS.join(', ')}`;

export const whyNotMirror: Check = (text) => {
  if (!/^https?:\/\/[A-Za-z0-9._~:/@%+-]{1,240}$/.test(text))
    return 'is no address of a mirror: http:// or https://, without blanks, quotes, query or fragment';
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || url.hostname === '') return 'is no address of a mirror';
  return text.includes('@') ? 'must hold no user name or password: addresses of mirrors end up in files of the guest' : undefined;
};

export const whyNotRole: Check = (text) =>
  /^[a-z0-9][a-z0-9_-]{0,31}$/.test(text)
    ? undefined
    : 'is no name of a role of xen-tools: 1-32 letters a-z, digits, hyphens, underscores, like udev';

/** A word of the kernel's command line. */
export const whyNotKernelWord: Check = (word) => {
  if (!/^[A-Za-z0-9_][A-Za-z0-9_.,:=/@+-]{0,99}$/.test(word))
    return 'is no word for a kernel command line: 1-100 letters, digits and _ . , : = / @ + -, no blanks or quotes';
  return word.startsWith('root=') ? 'is set by guestflow itself, from the disks' : undefined;
};

export const whyNotFsOptions: Check = (text) =>
  text.length <= 200 && /^[a-z0-9_]+(=[a-z0-9_-]+)?(,[a-z0-9_]+(=[a-z0-9_-]+)?)*$/.test(text)
    ? undefined
    : 'are no mount options: words joined by commas, like noatime,errors=remount-ro';

export const whyNotSerialDevice: Check = (text) =>
  /^(hvc|xvc|ttyS|tty)\d{1,2}$/.test(text) ? undefined : 'is no serial device of a guest, like hvc0';

/**
 * A time zone by its IANA name, written as the zone's file is: the name becomes a path in the guest.
 *
 * Intl takes any case and offsets like `+02:00`; both name no file.
 */
export const whyNotTimezone: Check = (text) => {
  const unknown = 'is no time zone (an IANA name like Europe/Berlin or Etc/UTC)';
  if (!/^[A-Z][A-Za-z0-9_+-]*(\/[A-Z][A-Za-z0-9_+-]*){0,2}$/.test(text)) return unknown;
  try {
    const known = new Intl.DateTimeFormat('en', { timeZone: text }).resolvedOptions().timeZone;
    return known !== text && known.toLowerCase() === text.toLowerCase() ? `is written "${known}"` : undefined;
  } catch {
    return unknown;
  }
};

/** A hash as crypt(5) writes it: SHA-512, SHA-256 or yescrypt. */
export const whyNotPasswordHash: Check = (text) => {
  const salted =
    /^\$(?:6\$(?:rounds=\d{4,9}\$)?[./0-9A-Za-z]{1,16}\$[./0-9A-Za-z]{86}|5\$(?:rounds=\d{4,9}\$)?[./0-9A-Za-z]{1,16}\$[./0-9A-Za-z]{43}|y\$[./0-9A-Za-z]{1,16}\$[./0-9A-Za-z]{1,86}\$[./0-9A-Za-z]{43})$/;
  return salted.test(text)
    ? undefined
    : 'is no hash of crypt(5) ($6$…, $5$… or $y$…); passwords themselves are not taken: use --password-stdin, or openssl passwd -6';
};

export const whyNotClock: Check = (text) =>
  /^([01]\d|2[0-3]):[0-5]\d$/.test(text) ? undefined : 'is no time of day in UTC: hour and minute as 02:30';
