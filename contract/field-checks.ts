/**
 * What each field of an order may hold: the one table of rules. A check returns why a value is refused, or undefined; the schemas of orders
 * and plans (`field-schemas.ts`), of what crosses to a dom0 (`wire.ts`) and of a dom0's settings, and the checks of arguments are made of
 * them, so that the command line, the gateway and the dom0 refuse the same values with the same words. What one field asks of another is in
 * `order-rules.ts`.
 *
 * Every value here ends up in a file or in an argument of a tool that runs as root: each has a pattern that leaves no room for quotes,
 * blanks, control characters or a leading hyphen.
 */
import { LEAST_MEMORY, whyNotDist } from './distributions.ts';
import { parseIpv4, prefixOfNetmask, whyNotPrefix, whyNotUnicast } from './ipv4.ts';
import { normalMac, whyNotMac } from './mac.ts';
import { whyNotFsOptions } from './mount-options.ts';
import { eitherCase } from './published-pattern.ts';
import { formatSize, GiB, MiB, parseSize } from './sizes.ts';
import { whyNotTimezone } from './time-zones.ts';

export { normalMac, whyNotDist, whyNotFsOptions, whyNotMac, whyNotTimezone };

/** Why a value is refused, or undefined. */
export type Check<T = string> = (value: T) => string | undefined;

/** LVM's usual extent: volumes are multiples of it, so a size that is not would be silently rounded. */
const EXTENT = 4 * MiB;

/**
 * Smallest and largest size of each kind, in bytes. A guest's disk is a file first: on ext4 a file ends one block before 16 TiB. A pv guest's
 * kernel numbers at most 512 GiB of memory without a word on its command line.
 */
export const SIZE_BOUNDS = {
  memory: { least: LEAST_MEMORY, most: 512 * GiB, step: MiB },
  disk: { least: GiB, most: 16 * 1024 * GiB - EXTENT, step: EXTENT },
  swap: { least: 16 * MiB, most: 256 * GiB, step: EXTENT },
} as const;

/** Most virtual cpus of a guest. What a dom0 has is another matter: no guest gets more than its dom0's. */
export const MOST_VCPUS = 64;

/** Most entries of each list. */
export const MOST_SSH_KEYS = 20;
export const MOST_KERNEL_WORDS = 32;

/** Whole numbers: the least and the most of each kind. */
export const COUNT_BOUNDS = {
  vcpus: [1, MOST_VCPUS],
  retention: [1, 366],
  graceDays: [0, 365],
  keepBackupsDays: [0, 3_650],
  proveDays: [0, 365],
} as const;

/** Checks a size in bytes against the bounds of its kind. */
export function whyNotBytes(kind: keyof typeof SIZE_BOUNDS, bytes: number): string | undefined {
  const { least, most, step } = SIZE_BOUNDS[kind];
  if (!Number.isSafeInteger(bytes)) return 'is no whole number of bytes';
  if (bytes < least) return `is less than ${formatSize(least)}`;
  if (bytes > most) return `is more than ${most === SIZE_BOUNDS.disk.most ? '16 TiB less 4 MiB' : formatSize(most)}`;
  if (bytes % step !== 0) return `is no multiple of ${formatSize(step)}`;
  return undefined;
}

/** Longest text of a size, blanks counted. */
export const LONGEST_SIZE = 64;

/** Checks a size as people write it. */
export function whyNotSize(kind: keyof typeof SIZE_BOUNDS): Check {
  return (text) => {
    if (text.length > LONGEST_SIZE) return `is longer than ${LONGEST_SIZE} characters`;
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
  return whyNotPrefix(prefix) === undefined ? undefined : `is no netmask of a network of guests: /8 (255.0.0.0) to /31 (255.255.255.254)`;
};

/** The name of a network interface in Linux: 15 characters. */
export const BRIDGE_PATTERN = /^[a-zA-Z0-9][a-zA-Z0-9._-]{0,14}$/;

export const whyNotBridge: Check = (text) =>
  BRIDGE_PATTERN.test(text) ? undefined : 'is no name of a bridge: 1-15 letters, digits, dots, hyphens, underscores, like xenbr0';

/** As xl takes it, with a unit; an interval is Xen's own 50 ms. Of so many digits and units xl can count all. */
export const RATE_PATTERN = /^[1-9][0-9]{0,4}[KMG][Bb]\/s$/;

export const whyNotRate: Check = (text) =>
  RATE_PATTERN.test(text)
    ? undefined
    : 'is no rate: a whole number up to 99999 with Kb/s, Mb/s or Gb/s (bits) or KB/s, MB/s or GB/s (bytes), like 100Mb/s';

/** Names of roles of xen-tools: files of a directory. */
export const ROLE_PATTERN = /^[a-z0-9][a-z0-9_-]{0,31}$/;

export const whyNotRole: Check = (text) =>
  ROLE_PATTERN.test(text) ? undefined : 'is no name of a role of xen-tools: 1-32 letters a-z, digits, hyphens, underscores, like udev';

/** Names of plans. */
export const PLAN_NAME_PATTERN = /^[a-z0-9][a-z0-9_-]{0,31}$/;

export const whyNotPlanName: Check = (text) =>
  PLAN_NAME_PATTERN.test(text) ? undefined : 'is no name of a plan: 1-32 letters a-z, digits, hyphens, underscores';

/** Words that keep a guest from coming up by itself, with which nobody could wait for it. */
const OTHER_STARTS = 'init|rdinit|mem|maxcpus|nosmp|single|s|emergency|rescue|break|noinitrd|systemd\\.unit';
const OTHER_START = new RegExp(`^(?:${OTHER_STARTS})(?:=|$)`, 'i');
const KERNEL_WORD = '[A-Za-z0-9_][A-Za-z0-9_.,:=/@+-]{0,99}';
const KERNEL_WORD_PATTERN = new RegExp(`^${KERNEL_WORD}$`);

/** A word of the kernel's command line, as JSON Schema says it: a piece of a pattern, in front of a blank or the end. */
export const KERNEL_WORD_FORM = `(?!root=)(?!(?:${eitherCase(OTHER_STARTS)})(?:[= ]|$))${KERNEL_WORD}`;

/** A word of the kernel's command line. */
export const whyNotKernelWord: Check = (word) => {
  if (!KERNEL_WORD_PATTERN.test(word))
    return 'is no word for a kernel command line: 1-100 letters, digits and _ . , : = / @ + -, no blanks or quotes';
  if (word.startsWith('root=')) return 'is set by guestflow itself, from the disks';
  return OTHER_START.test(word) ? 'would keep the guest from coming up as it was ordered' : undefined;
};

/** A guest has the one console that xl gives it; what Linux called it before 2.6.37 (xvc0) or shows on a screen (tty1) is none. */
export const SERIAL_DEVICE = 'hvc0';

export const whyNotSerialDevice: Check = (text) =>
  text === SERIAL_DEVICE ? undefined : 'is no serial device of a pv or pvh guest, which has one console: hvc0';

/** A hash as crypt(5) writes it: SHA-512, SHA-256 or yescrypt. */
export const PASSWORD_HASH_PATTERN =
  /^\$(?:6\$(?:rounds=[0-9]{4,9}\$)?[./0-9A-Za-z]{1,16}\$[./0-9A-Za-z]{86}|5\$(?:rounds=[0-9]{4,9}\$)?[./0-9A-Za-z]{1,16}\$[./0-9A-Za-z]{43}|y\$[./0-9A-Za-z]{1,16}\$[./0-9A-Za-z]{1,86}\$[./0-9A-Za-z]{43})$/;

export const whyNotPasswordHash: Check = (text) =>
  PASSWORD_HASH_PATTERN.test(text)
    ? undefined
    : 'is no hash of crypt(5) ($6$…, $5$… or $y$…); passwords themselves are not taken: use --password-stdin, or openssl passwd -6';

/** Hour and minute. */
export const CLOCK_PATTERN = /^(?:[01][0-9]|2[0-3]):[0-5][0-9]$/;

export const whyNotClock: Check = (text) => (CLOCK_PATTERN.test(text) ? undefined : 'is no time of day in UTC: hour and minute as 02:30');
