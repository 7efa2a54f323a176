/**
 * The fields of a guest: one table. From it follow the schema of orders and of plans with its words for people (`field-schemas.ts`), the strict one of
 * what crosses to a dom0 (`wire.ts`), the flags of `guestflow provision`, the types of orders and plans, what is published of both, and the table in
 * docs/order-fields.md. A field that is added here is known in all of them. What one field asks of another is in `order-rules.ts`. Pure.
 */
import * as check from './field-checks.ts';
import { DISTRIBUTIONS } from './distributions.ts';
import { ADDRESS, NETMASKS, sizeForm, type JsonForm } from './field-forms.ts';
import { DOM0_NAME_PATTERN, GUEST_NAME_FORM, ORDER_ID_PATTERN, whyNotGuestName, whyNotOrderId } from './guest-name.ts';
import { MAC_FORM } from './mac.ts';
import { MIRROR_FORM, normalMirror, whyNotMirror } from './mirror.ts';
import { FS_OPTIONS_FORM } from './mount-options.ts';
import { LONGEST_KEY_LINE, normalSshKey, SSH_KEY_LINE, whyNotSshKey } from './ssh-key.ts';

/** Text that passes a check; `normal` is the one way in which it is kept. */
interface TextValue {
  readonly is: 'text';
  readonly whyNot: check.Check;
  readonly normal?: (text: string) => string;
}
interface ChoiceValue {
  readonly is: 'choice';
  readonly values: readonly [string, ...string[]];
}
/** People write it with a unit; it is kept in bytes. */
interface SizeValue {
  readonly is: 'size';
  readonly bounds: keyof typeof check.SIZE_BOUNDS;
}
interface CountValue {
  readonly is: 'count';
  readonly bounds: keyof typeof check.COUNT_BOUNDS;
}
interface YesOrNo {
  readonly is: 'yes or no';
}
/** A list of texts. */
interface ListValue {
  readonly is: 'list';
  readonly item: Omit<TextValue, 'is'> & { readonly form: JsonForm };
  readonly most: number;
  /** `SSH keys`. */
  readonly what: string;
  /** One text is taken apart at its blanks. */
  readonly mayBeText?: true;
}
/** An object of counts, of which at least one is said. */
interface CountsValue {
  readonly is: 'counts';
  readonly keys: Readonly<Record<string, { readonly bounds: keyof typeof check.COUNT_BOUNDS; readonly form: JsonForm }>>;
}

export type FieldValue = TextValue | ChoiceValue | SizeValue | CountValue | YesOrNo | ListValue | CountsValue;

/** One field. */
export interface Field {
  readonly group: 'identity' | 'size' | 'os' | 'network' | 'access' | 'storage' | 'backup' | 'life';
  readonly value: FieldValue;
  /** What is published of it, as JSON Schema. */
  readonly form: JsonForm;
  /** A key of orders: what it holds and what it is by default, for docs. `required`: without it there is no order. */
  readonly order?: { readonly says: string; readonly byDefault: string; readonly required?: true };
  /** A key of plans: required, optional, or with a default. */
  readonly plan?: 'required' | 'optional' | { readonly byDefault: unknown };
  /** What it is called in what is kept of a guest. Default: as here. null: it is kept under another field. */
  readonly keptAs?: string | null;
  /** Kept of every guest. Default: when plans require it or have a default for it. */
  readonly isAlwaysKept?: true;
  /** The flag of `guestflow provision`. */
  readonly flag?: { readonly option: string; readonly says: string; readonly repeats?: true };
}

const count = <const K extends keyof typeof check.COUNT_BOUNDS>(bounds: K) => ({ is: 'count', bounds }) as const;
const size = <const K extends keyof typeof check.SIZE_BOUNDS>(bounds: K) => ({ is: 'size', bounds }) as const;
const choice = <const T extends readonly [string, ...string[]]>(...values: T) => ({ is: 'choice', values }) as const;
const text = (whyNot: check.Check, normal?: (text: string) => string) =>
  normal === undefined ? ({ is: 'text', whyNot } as const) : ({ is: 'text', whyNot, normal } as const);
const YES_OR_NO = { is: 'yes or no' } as const;

/** Why a name is refused, worded to follow the field's name. */
function whyNotName(name: string): string | undefined {
  const reason = whyNotGuestName(name);
  return reason === undefined ? undefined : `cannot be a guest's name: ${reason}`;
}

function whyNotDom0(name: string): string | undefined {
  return DOM0_NAME_PATTERN.test(name) ? undefined : 'is no name of a dom0: a host name in lower case';
}

/** Every field, in the order in which orders are written. */
export const FIELDS = {
  name: {
    group: 'identity',
    value: text(whyNotName),
    form: { ...GUEST_NAME_FORM, description: 'Name of the guest: a host name in lower case.', examples: ['guest1'] },
    order: { says: "host name, domain name, part of the volumes' names; lower case", byDefault: '–', required: true },
    isAlwaysKept: true,
  },
  order: {
    group: 'identity',
    value: text(whyNotOrderId),
    form: { description: 'Id of the order.', pattern: ORDER_ID_PATTERN.source, examples: ['A-10042'] },
    order: {
      says: 'id of the order, 1–200 of `A-Za-z0-9._-`. The same id again is the same order, and gets the same answer',
      byDefault: '`manual-<name>`',
    },
    isAlwaysKept: true,
    flag: { option: '--order <ID>', says: 'id of the order: the same id again is the same order (default: manual-NAME)' },
  },
  plan: {
    group: 'identity',
    value: text(check.whyNotPlanName),
    form: { pattern: check.PLAN_NAME_PATTERN.source, description: 'Name of a plan. Default: the first one.', examples: ['small'] },
    order: { says: 'name of a plan', byDefault: 'the first of the file' },
    isAlwaysKept: true,
    flag: { option: '--plan <PLAN>', says: 'plan (default: the first of the plans)' },
  },
  dom0: {
    group: 'identity',
    value: text(whyNotDom0),
    form: { pattern: DOM0_NAME_PATTERN.source, description: 'Name of a dom0. Default: one that has room.', examples: ['xen1'] },
    order: { says: 'which dom0', byDefault: '`GUESTFLOW_DOM0`, or one that has room ([capacity](capacity.md))' },
    isAlwaysKept: true,
    flag: { option: '--dom0 <HOST>', says: 'where (default: GUESTFLOW_DOM0, or one that has room)' },
  },
  type: {
    group: 'os',
    value: choice('pv', 'pvh'),
    form: { description: "Kind of the domain. Default: the plan's." },
    order: { says: '`pv` or `pvh`', byDefault: 'plan' },
    plan: { byDefault: 'pv' },
    flag: { option: '--type <TYPE>', says: "pv or pvh (default: the plan's)" },
  },
  ip: {
    group: 'network',
    value: text(check.whyNotAddress),
    form: { pattern: ADDRESS, description: "IPv4 address. Default: the next free one of the dom0's network.", examples: ['192.0.2.10'] },
    order: { says: 'IPv4 address', byDefault: "the next free one of the dom0's network" },
    flag: { option: '--ip <ADDRESS>', says: 'its address (default: the next free one of the dom0)' },
  },
  netmask: {
    group: 'network',
    value: text(check.whyNotNetmask),
    form: { enum: NETMASKS, description: "Only with ip. Default: the dom0's." },
    order: { says: 'only with `ip`', byDefault: "the dom0's" },
    flag: { option: '--netmask <MASK>', says: "with --ip (default: the dom0's)" },
  },
  gateway: {
    group: 'network',
    value: text(check.whyNotAddress),
    form: { pattern: ADDRESS, description: "Only with ip. Default: the dom0's.", examples: ['192.0.2.1'] },
    order: { says: 'only with `ip`', byDefault: "the dom0's" },
    flag: { option: '--gateway <ADDRESS>', says: "with --ip (default: the dom0's)" },
  },
  bridge: {
    group: 'network',
    value: text(check.whyNotBridge),
    form: { pattern: check.BRIDGE_PATTERN.source, description: "Default: the plan's, else the dom0's.", examples: ['xenbr0'] },
    order: { says: 'bridge on the dom0', byDefault: "plan, then the dom0's" },
    plan: 'optional',
    flag: { option: '--bridge <NAME>', says: "bridge that it is attached to (default: the plan's, then the dom0's)" },
  },
  mac: {
    group: 'network',
    value: text(check.whyNotMac, check.normalMac),
    form: {
      pattern: MAC_FORM,
      description: 'Colons or hyphens, not both. Default: made from name and address, in 00:16:3E.',
      examples: ['00:16:3E:12:34:56'],
    },
    order: {
      says: '`00:16:3E:…` or a locally administered address, colons or hyphens throughout',
      byDefault: "made from the name, in Xen's range",
    },
    flag: { option: '--mac <MAC>', says: "its MAC address (default: made from its name, in Xen's range)" },
  },
  memory: {
    group: 'size',
    value: size('memory'),
    form: sizeForm('memory', '256 MiB to 512 GiB, in whole MiB.', '512MiB'),
    order: { says: '256 MiB … 512 GiB, whole MiB', byDefault: 'plan' },
    plan: 'required',
    keptAs: 'memoryBytes',
    flag: { option: '--memory <SIZE>', says: "like 512Mb or 1GiB (default: the plan's)" },
  },
  vcpus: {
    group: 'size',
    value: count('vcpus'),
    form: { description: "Virtual cpus. Default: the plan's.", examples: [2] },
    order: { says: "1 … 64, and no more than the dom0's cpus", byDefault: 'plan' },
    plan: 'required',
    flag: { option: '--vcpus <N>', says: "virtual cpus (default: the plan's)" },
  },
  disk: {
    group: 'size',
    value: size('disk'),
    form: sizeForm('disk', 'Root volume: 1 GiB to 16 TiB less 4 MiB, a multiple of 4 MiB.', '8GiB'),
    order: { says: 'root volume: 1 GiB … 16 TiB less 4 MiB, a multiple of 4 MiB', byDefault: 'plan' },
    plan: 'required',
    keptAs: 'diskBytes',
    flag: { option: '--disk <SIZE>', says: "root volume, like 8Gb (default: the plan's)" },
  },
  swap: {
    group: 'size',
    value: size('swap'),
    form: sizeForm('swap', 'Swap volume: 16 MiB to 256 GiB, a multiple of 4 MiB.', '512MiB'),
    order: { says: 'swap volume: 16 MiB … 256 GiB, a multiple of 4 MiB', byDefault: 'plan' },
    plan: 'required',
    keptAs: 'swapBytes',
    flag: { option: '--swap <SIZE>', says: "swap volume (default: the plan's)" },
  },
  dist: {
    group: 'os',
    value: text(check.whyNotDist),
    form: { enum: DISTRIBUTIONS.map(({ name }) => name), description: "Distribution. Default: the plan's." },
    order: { says: '`bookworm`, `trixie`, `jammy`, `noble` ([distributions](ordering.md#distributions))', byDefault: 'plan' },
    plan: { byDefault: 'bookworm' },
    flag: { option: '--dist <NAME>', says: "distribution, like bookworm (default: the plan's)" },
  },
  mirror: {
    group: 'os',
    value: text(whyNotMirror, normalMirror),
    form: {
      ...MIRROR_FORM,
      description: "Where packages come from. Default: the plan's, else the dom0's.",
      examples: ['http://mirror.example.org/debian'],
    },
    order: {
      says: '`http://` or `https://` with a host, without user, password or query; not the dom0 itself and no link-local address',
      byDefault: "plan, then the dom0's",
    },
    plan: 'optional',
    flag: { option: '--mirror <URL>', says: "mirror of the distribution (default: the plan's, then the dom0's)" },
  },
  role: {
    group: 'os',
    value: text(check.whyNotRole),
    form: { pattern: check.ROLE_PATTERN.source, description: "Role of xen-tools. Default: the plan's, else none.", examples: ['udev'] },
    order: { says: "a role of xen-tools, run before guestflow's own", byDefault: 'plan, else none' },
    plan: 'optional',
    flag: { option: '--role <NAME>', says: "role of xen-tools (default: the plan's, else none)" },
  },
  extra: {
    group: 'os',
    value: {
      is: 'list',
      item: { whyNot: check.whyNotKernelWord, form: { pattern: `^${check.KERNEL_WORD_FORM}$` } },
      most: check.MOST_KERNEL_WORDS,
      what: 'kernel words',
      mayBeText: true,
    },
    form: {
      type: ['string', 'array'],
      pattern: `^ *(?:${check.KERNEL_WORD_FORM}(?: +|$)){0,${check.MOST_KERNEL_WORDS}}$`,
      description: "Words for the guest's kernel: a list, or one text with blanks between. Default: the plan's.",
    },
    order: { says: "words for the guest's kernel: one string, or a list; at most 32", byDefault: 'plan' },
    plan: { byDefault: [] },
    flag: { option: '--extra <WORD>', says: "word for the guest's kernel; may be repeated (default: the plan's)", repeats: true },
  },
  sshKeys: {
    group: 'access',
    value: {
      is: 'list',
      item: { whyNot: whyNotSshKey, normal: normalSshKey, form: { pattern: SSH_KEY_LINE, maxLength: LONGEST_KEY_LINE } },
      most: check.MOST_SSH_KEYS,
      what: 'SSH keys',
    },
    form: { description: 'Public keys for root, OpenSSH lines without options; comments are not kept. Default: none.' },
    order: { says: 'public keys for root: OpenSSH lines without options; at most 20', byDefault: 'none' },
    isAlwaysKept: true,
  },
  passwordHash: {
    group: 'access',
    value: text(check.whyNotPasswordHash),
    form: {
      pattern: check.PASSWORD_HASH_PATTERN.source,
      description: "crypt(5) hash of root's password. A password itself is never taken. Default: none, no password can log in.",
    },
    order: { says: "hash of root's password as crypt(5) writes it: `$6$`, `$5$`, `$y$`", byDefault: 'none: no log-in by password' },
  },
  timezone: {
    group: 'os',
    value: text(check.whyNotTimezone),
    form: {
      // Names change with the package of time zones: which there are is asked beside.
      pattern: '^[A-Z][A-Za-z0-9_+-]*(?:/[A-Z][A-Za-z0-9_+-]*){0,2}$',
      description: "IANA name. Default: the plan's.",
      examples: ['Europe/Berlin'],
    },
    order: { says: 'IANA name as its file is called, `Europe/Berlin`', byDefault: 'plan' },
    plan: { byDefault: 'Etc/UTC' },
    flag: { option: '--timezone <ZONE>', says: "like Europe/Berlin (default: the plan's)" },
  },
  retention: {
    group: 'backup',
    value: {
      is: 'counts',
      keys: {
        last: { bounds: 'retention', form: { description: 'Last backups kept.' } },
        hourly: { bounds: 'retention', form: { description: 'Hours of which the last backup is kept.' } },
        daily: { bounds: 'retention', form: { description: 'Days of which the last backup is kept.', examples: [7] } },
        weekly: { bounds: 'retention', form: { description: 'Weeks of which the last backup is kept.' } },
        monthly: { bounds: 'retention', form: { description: 'Months of which the last backup is kept.' } },
        yearly: { bounds: 'retention', form: { description: 'Years of which the last backup is kept.' } },
      },
    },
    form: { minProperties: 1, description: "Backups kept, by the calendar of the guest's time zone. Default: the plan's." },
    order: {
      says: '`{last: N, hourly: N, daily: N, weekly: N, monthly: N, yearly: N}`, one of them or more, each 1 … 366',
      byDefault: 'plan',
    },
    plan: { byDefault: { daily: 7 } },
  },
  proveDays: {
    group: 'backup',
    value: count('proveDays'),
    form: {
      description: "Days after which a restored copy of the guest's last backup is started again. 0: never. Default: the plan's.",
      examples: [30],
    },
    order: { says: 'days from one proof of a backup to the next, 0 … 365; 0: none by itself', byDefault: 'plan' },
    plan: { byDefault: 30 },
  },
  managed: {
    group: 'access',
    value: YES_OR_NO,
    form: { description: "Keep the provisioning key in the guest. Default: the plan's." },
    order: { says: "keep guestflow's key in the guest when it is done", byDefault: 'plan' },
    plan: { byDefault: false },
    flag: { option: '--managed', says: "keep guestflow's key in the guest" },
  },
  serialDevice: {
    group: 'os',
    value: text(check.whyNotSerialDevice),
    form: { enum: [check.SERIAL_DEVICE], description: "Console of the guest. Default: the plan's." },
    order: { says: "the guest's console: `hvc0`, the only one there is", byDefault: 'plan' },
    plan: { byDefault: check.SERIAL_DEVICE },
  },
  fs: {
    group: 'storage',
    value: choice('ext4', 'ext3'),
    form: { description: "Root file system. Default: the plan's." },
    order: { says: '`ext4` or `ext3`', byDefault: 'plan' },
    plan: { byDefault: 'ext4' },
  },
  fsOptions: {
    group: 'storage',
    value: text(check.whyNotFsOptions),
    form: { ...FS_OPTIONS_FORM, description: "Mount options of the root file system. Default: the plan's.", examples: ['noatime'] },
    order: { says: 'mount options that a mounted root file system takes', byDefault: 'plan' },
    // Those of the how-to.
    plan: { byDefault: 'noatime,nodiratime,errors=remount-ro' },
  },
  image: {
    group: 'storage',
    value: choice('sparse', 'full'),
    form: { description: "Whether the image's blocks are taken when they are written, or at once. Default: the plan's." },
    order: { says: '`sparse` or `full`: the image while the guest is made', byDefault: 'plan' },
    plan: { byDefault: 'sparse' },
  },
  installMethod: {
    group: 'os',
    value: choice('golden', 'debootstrap'),
    form: { description: "How the guest's system is made. Default: the plan's." },
    order: {
      says: "`golden`: from the dom0's golden tarball of the distribution; `debootstrap`: the how-to's own way",
      byDefault: 'plan',
    },
    plan: { byDefault: 'golden' },
  },
  recipe: {
    group: 'os',
    value: choice('how-to', 'direct'),
    form: { description: "The way to a guest on its own volumes. Default: the plan's." },
    order: {
      says: '`how-to`: it starts from an image, then moves to its volumes; `direct`: the golden root file system is written to its volumes and made its own, which saves installing, a boot and a shutdown',
      byDefault: 'plan',
    },
    plan: { byDefault: 'how-to' },
    flag: { option: '--recipe <NAME>', says: 'how-to or direct (default: of the plan)' },
  },
  debootstrap: {
    group: 'os',
    value: YES_OR_NO,
    form: { description: '`true` is short for `installMethod: debootstrap`.' },
    order: { says: '`true` is short for `installMethod: debootstrap`', byDefault: '–' },
    keptAs: null,
    flag: { option: '--debootstrap', says: 'install by debootstrap instead of from the golden tarball' },
  },
  backupAt: {
    group: 'backup',
    value: text(check.whyNotClock),
    form: {
      pattern: check.CLOCK_PATTERN.source,
      description: 'Hour and minute of the nightly backup, UTC. Default: made from the name.',
      examples: ['02:30'],
    },
    order: { says: 'hour and minute of the nightly backup, UTC', byDefault: 'made from the name, between 01:00 and 05:00' },
    flag: { option: '--backup-at <HH:MM>', says: 'time of the nightly backup, UTC (default: made from the name)' },
  },
  graceDays: {
    group: 'life',
    value: count('graceDays'),
    form: { description: "Days for which a terminated guest's disks are kept. Default: the plan's.", examples: [7] },
    order: { says: "days for which a terminated guest's disks are kept, 0 … 365", byDefault: 'plan' },
    plan: { byDefault: 7 },
  },
  maxMemory: {
    group: 'size',
    value: size('memory'),
    form: sizeForm('memory', 'To what a running guest can be grown by a change of its plan.', '1GiB'),
    plan: 'optional',
    keptAs: 'maxMemoryBytes',
  },
  maxVcpus: {
    group: 'size',
    value: count('vcpus'),
    form: { description: 'To how many vcpus a running guest can be grown by a change of its plan.' },
    plan: 'optional',
  },
  rate: {
    group: 'size',
    value: text(check.whyNotRate),
    form: {
      pattern: check.RATE_PATTERN.source,
      description: 'How much a guest sends at most; of what it receives, nothing is held back. From its next start on. Default: unlimited.',
      examples: ['100Mb/s'],
    },
    plan: 'optional',
  },
  keepBackupsDays: {
    group: 'backup',
    value: count('keepBackupsDays'),
    form: { description: 'Days for which the backups of a guest are kept after its disks are gone. Default: 0.' },
    plan: 'optional',
  },
  suspend: {
    group: 'life',
    value: choice('shutdown', 'pause'),
    form: { description: 'How a guest is suspended. `pause`: its memory stays as it is, and stays taken. Default: `shutdown`.' },
    plan: 'optional',
  },
  restart: {
    group: 'life',
    value: choice('always', 'on-crash', 'never'),
    form: { description: "What is done when a guest's domain ends and nobody asked for that. Default: `always`." },
    plan: 'optional',
  },
} as const satisfies Readonly<Record<string, Field>>;

export type FieldTable = Readonly<Record<string, Field>>;

/** Whether every guest has a value of it once its plan has filled in what the order left out. */
export function isAlwaysKept({ isAlwaysKept: always, plan }: Field): boolean {
  return always === true || (plan !== undefined && plan !== 'optional');
}

/** What it is called in what is kept of a guest; undefined: it is kept under another field. */
export function keptName(key: string, { keptAs }: Field): string | undefined {
  return keptAs === null ? undefined : (keptAs ?? key);
}

/** One value a kept field, in the groups of a table: what identifies a guest side by side, the other groups as objects. Every group is there. */
export function inGroups<T>(
  fields: FieldTable,
  valueOf: (name: string, field: Field) => T | undefined,
): Record<string, T | Record<string, T>> {
  const identity: Record<string, T> = {};
  const groups: Record<string, Record<string, T>> = {};
  for (const [key, field] of Object.entries(fields)) {
    const group = field.group === 'identity' ? identity : (groups[field.group] ??= {});
    const name = keptName(key, field);
    const value = name === undefined ? undefined : valueOf(name, field);
    if (name !== undefined && value !== undefined) group[name] = value;
  }
  return { ...identity, ...groups };
}
