/**
 * Mount options of a guest's root file system. The kernel mounts it by its own defaults first, and the guest then applies those of its
 * fstab: an option that is unknown, or that cannot change while it is mounted, fails there and leaves the root file system read-only.
 * Pure.
 */
import { numbersPattern } from './published-pattern.ts';

/** Of ext4(5) and mount(8): what a mounted ext4 or ext3 takes. */
const PLAIN = new Set([
  ...['defaults', 'rw', 'async', 'sync', 'dirsync', 'suid', 'dev', 'exec', 'auto'],
  ...['atime', 'noatime', 'diratime', 'nodiratime', 'relatime', 'norelatime', 'strictatime', 'lazytime', 'nolazytime'],
  ...['discard', 'nodiscard', 'barrier', 'nobarrier', 'user_xattr', 'acl', 'auto_da_alloc', 'noauto_da_alloc'],
  ...['init_itable', 'noinit_itable', 'block_validity', 'noblock_validity', 'grpid', 'nogrpid'],
]);
const CHOICES: Readonly<Record<string, readonly string[]>> = {
  errors: ['continue', 'remount-ro', 'panic'],
  // The others must be said when it is mounted, not later.
  data: ['ordered'],
  barrier: ['0', '1'],
};
/** With a number: seconds, microseconds, blocks. */
const NUMBERS: Readonly<Record<string, readonly [least: number, most: number]>> = {
  commit: [0, 86_400],
  max_batch_time: [0, 1_000_000],
  min_batch_time: [0, 1_000_000],
  stripe: [0, 65_536],
  init_itable: [0, 1_000],
};
const REASONS: Readonly<Record<string, string>> = {
  ro: 'would keep the guest from writing to its own disk',
  noexec: 'would keep the guest from starting',
  noauto: 'would keep the guest from mounting its own disk',
  nodelalloc: 'cannot be changed while the disk is mounted',
  delalloc: 'cannot be said while the disk is mounted; it is the default of ext4',
  'data=journal': 'cannot be changed while the disk is mounted: tune2fs -o journal_data in the guest does it',
  'data=writeback': 'cannot be changed while the disk is mounted: tune2fs -o journal_data_writeback in the guest does it',
};

function whyNotOption(option: string): string | undefined {
  if (PLAIN.has(option)) return undefined;
  const reason = REASONS[option];
  if (reason !== undefined) return reason;
  const [name = '', value, ...rest] = option.split('=');
  if (value !== undefined && rest.length === 0) {
    if (CHOICES[name]?.includes(value) === true) return undefined;
    const [least, most] = NUMBERS[name] ?? [1, 0];
    // No leading zeros: the kernel reads 010 as eight.
    if (/^(?:0|[1-9][0-9]{0,6})$/.test(value) && Number(value) >= least && Number(value) <= most) return undefined;
    if (CHOICES[name] !== undefined) return `is none of ${CHOICES[name].map((choice) => `${name}=${choice}`).join(', ')}`;
    if (NUMBERS[name] !== undefined) return `is no number from ${least} to ${most}`;
  }
  return 'is no option that a mounted root file system of ext4 or ext3 takes';
}

const LONGEST = 200;
const OPTION = `(?:${[
  ...PLAIN,
  ...Object.entries(CHOICES).map(([name, values]) => `${name}=(?:${values.join('|')})`),
  ...Object.entries(NUMBERS).map(([name, bounds]) => `${name}=${numbersPattern(...bounds)}`),
].join('|')})`;

/** What is taken, as JSON Schema says it. */
export const FS_OPTIONS_FORM = { pattern: `^(?:${OPTION}(?:,(?!$)|$))+$`, maxLength: LONGEST } as const;

/** Why these are no mount options, or undefined. */
export function whyNotFsOptions(text: string): string | undefined {
  if (text.length > LONGEST || !/^[a-z0-9_]+(=[a-z0-9_-]+)?(,[a-z0-9_]+(=[a-z0-9_-]+)?)*$/.test(text))
    return 'are no mount options: words joined by commas, like noatime,errors=remount-ro';
  for (const option of text.split(',')) {
    const reason = whyNotOption(option);
    if (reason !== undefined) return `have an option that cannot be: ${option} ${reason}`;
  }
  return undefined;
}

/** Every option that is taken, one of each value: for the tests that mount them. */
export function allFsOptions(): string[] {
  return [
    ...PLAIN,
    ...Object.entries(CHOICES).flatMap(([name, values]) => values.map((value) => `${name}=${value}`)),
    ...Object.entries(NUMBERS).flatMap(([name, bounds]) => bounds.map((bound) => `${name}=${bound}`)),
  ];
}
