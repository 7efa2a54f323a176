/**
 * What is published of each field of an order, as JSON Schema says it, made of the constants that check it. What types, enumerations and numbers
 * say is not here: `field-schemas.ts` has it. A test holds each form against its check, in both directions. Pure.
 */
import * as check from './field-checks.ts';
import { DISTRIBUTIONS } from './distributions.ts';
import { DOM0_NAME_PATTERN, GUEST_NAME_FORM, ORDER_ID_PATTERN } from './guest-name.ts';
import { netmaskOfPrefix, whyNotPrefix } from './ipv4.ts';
import { MAC_FORM } from './mac.ts';
import { MIRROR_FORM } from './mirror.ts';
import { FS_OPTIONS_FORM } from './mount-options.ts';
import { eitherCase, numbersPattern } from './published-pattern.ts';
import { GiB, MiB } from './sizes.ts';
import { LONGEST_KEY_LINE, SSH_KEY_LINE } from './ssh-key.ts';

type Bounds = (typeof check.SIZE_BOUNDS)[keyof typeof check.SIZE_BOUNDS];

/** Whole MiB, GiB and TiB exactly. Of fractions and of KiB, which must come to whole steps, as many digits as the bounds have. */
function sizePattern({ least, most, step }: Bounds): string {
  const kilobytes = `[1-9][0-9]{${[least, most].map((bytes) => String(bytes / 1024).length - 1).join(',')}}(?:\\.0{1,6})?[ \\t]*[Kk]`;
  const units = [MiB, GiB, 1024 * GiB].map((unit, index) => {
    const [first, last] = [Math.ceil(least / unit), Math.floor(most / unit)];
    const whole = first > last ? [] : [`${numbersPattern(first, last, Math.max(step / unit, 1))}(?:\\.0{1,6})?`];
    const begun = unit === MiB ? [] : [`${numbersPattern(Math.floor(least / unit), Math.ceil(most / unit) - 1)}\\.[0-9]{1,6}`];
    return `(?:${[...whole, ...begun].join('|')})[ \\t]*${eitherCase('MGT'.charAt(index))}`;
  });
  return `^[ \\t]*(?:${[kilobytes, ...units].join('|')})(?:[Ii]?[Bb])?[ \\t]*$`;
}

function sizeForm(kind: keyof typeof check.SIZE_BOUNDS, description: string, example: string) {
  return {
    type: 'string',
    pattern: sizePattern(check.SIZE_BOUNDS[kind]),
    maxLength: check.LONGEST_SIZE,
    description: `${description} With a unit, powers of 1024. Default: the plan's.`,
    examples: [example],
  } as const;
}

const OCTET = numbersPattern(0, 255);
/** No network 0, no loopback, no multicast, nothing reserved. */
const ADDRESS = `^(?:${numbersPattern(1, 126)}|${numbersPattern(128, 223)})(?:\\.${OCTET}){3}$`;
const NETMASKS = Array.from({ length: 33 }, (_, prefix) => prefix)
  .filter((prefix) => whyNotPrefix(prefix) === undefined)
  .map(netmaskOfPrefix);

export const FORMS = {
  order: { description: 'Id of the order.', pattern: ORDER_ID_PATTERN.source, examples: ['A-10042'] },
  name: { ...GUEST_NAME_FORM, description: 'Name of the guest: a host name in lower case.', examples: ['guest1'] },
  planName: { pattern: check.PLAN_NAME_PATTERN.source, description: 'Name of a plan. Default: the first one.', examples: ['small'] },
  dom0: { pattern: DOM0_NAME_PATTERN.source, description: 'Name of a dom0. Default: one that has room.', examples: ['xen1'] },
  type: { description: "Kind of the domain. Default: the plan's." },
  memory: sizeForm('memory', '256 MiB to 512 GiB, in whole MiB.', '512MiB'),
  disk: sizeForm('disk', 'Root volume: 1 GiB to 16 TiB less 4 MiB, a multiple of 4 MiB.', '8GiB'),
  swap: sizeForm('swap', 'Swap volume: 16 MiB to 256 GiB, a multiple of 4 MiB.', '512MiB'),
  vcpus: { description: "Virtual cpus. Default: the plan's.", examples: [2] },
  dist: { enum: DISTRIBUTIONS.map(({ name }) => name), description: "Distribution. Default: the plan's." },
  fs: { description: "Root file system. Default: the plan's." },
  fsOptions: { ...FS_OPTIONS_FORM, description: "Mount options of the root file system. Default: the plan's.", examples: ['noatime'] },
  image: { description: "Whether the image's blocks are taken when they are written, or at once. Default: the plan's." },
  installMethod: { description: "How the guest's system is made. Default: the plan's." },
  serialDevice: { enum: [check.SERIAL_DEVICE], description: "Console of the guest. Default: the plan's." },
  timezone: {
    // Names change with the package of time zones: which there are is asked beside.
    pattern: '^[A-Z][A-Za-z0-9_+-]*(?:/[A-Z][A-Za-z0-9_+-]*){0,2}$',
    description: "IANA name. Default: the plan's.",
    examples: ['Europe/Berlin'],
  },
  retention: { description: "Backups kept. Default: the plan's." },
  retentionDaily: { description: 'Daily backups kept.', examples: [7] },
  managed: { description: "Keep the provisioning key in the guest. Default: the plan's." },
  debootstrap: { description: '`true` is short for `installMethod: debootstrap`.' },
  sshKey: { pattern: SSH_KEY_LINE, maxLength: LONGEST_KEY_LINE },
  sshKeys: { description: 'Public keys for root, OpenSSH lines without options; comments are not kept. Default: none.' },
  passwordHash: {
    pattern: check.PASSWORD_HASH_PATTERN.source,
    description: "crypt(5) hash of root's password. A password itself is never taken. Default: none, no password can log in.",
  },
  ip: { pattern: ADDRESS, description: "IPv4 address. Default: the next free one of the dom0's network.", examples: ['192.0.2.10'] },
  netmask: { enum: NETMASKS, description: "Only with ip. Default: the dom0's." },
  gateway: { pattern: ADDRESS, description: "Only with ip. Default: the dom0's.", examples: ['192.0.2.1'] },
  bridge: { pattern: check.BRIDGE_PATTERN.source, description: "Default: the plan's, else the dom0's.", examples: ['xenbr0'] },
  mac: {
    pattern: MAC_FORM,
    description: 'Colons or hyphens, not both. Default: made from name and address, in 00:16:3E.',
    examples: ['00:16:3E:12:34:56'],
  },
  mirror: {
    ...MIRROR_FORM,
    description: "Where packages come from. Default: the plan's, else the dom0's.",
    examples: ['http://mirror.example.org/debian'],
  },
  role: { pattern: check.ROLE_PATTERN.source, description: "Role of xen-tools. Default: the plan's, else none.", examples: ['udev'] },
  kernelWord: { pattern: `^${check.KERNEL_WORD_FORM}$` },
  extra: {
    type: ['string', 'array'],
    pattern: `^ *(?:${check.KERNEL_WORD_FORM}(?: +|$)){0,${check.MOST_KERNEL_WORDS}}$`,
    description: "Words for the guest's kernel: a list, or one text with blanks between. Default: the plan's.",
  },
  backupAt: {
    pattern: check.CLOCK_PATTERN.source,
    description: 'Hour and minute of the nightly backup, UTC. Default: made from the name.',
    examples: ['02:30'],
  },
  graceDays: { description: "Days for which a terminated guest's disks are kept. Default: the plan's.", examples: [7] },
} as const;
