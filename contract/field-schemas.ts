/**
 * zod schemas of single fields, shared by orders, plans and specs. Not for workflow code: a workflow that loads zod costs ten times
 * the memory.
 */
import { z } from 'zod';
import * as check from './field-checks.ts';
import { FORMS } from './field-forms.ts';
import { DOM0_NAME_PATTERN, whyNotGuestName, whyNotOrderId } from './guest-name.ts';
import { normalMirror, whyNotMirror } from './mirror.ts';
import { isLongerThan } from './published-pattern.ts';
import { parseSize } from './sizes.ts';
import { normalSshKey, whyNotSshKey } from './ssh-key.ts';

/** Longest text of any field; longer ones are refused before a pattern looks at them. */
const LONGEST = 4_096;

/** Text that passes a check; numbers get a hint, because YAML reads `order: 17` as one. */
export function text(whyNot: check.Check): z.ZodType<string> {
  return z
    .string({
      error: ({ input }) =>
        input === undefined ? 'is missing' : typeof input === 'number' ? 'must be text: write it in quotes' : 'must be text',
    })
    .superRefine((value, context) => {
      const reason = isLongerThan(value, LONGEST) ? `is longer than ${LONGEST} characters` : whyNot(value);
      if (reason !== undefined) context.addIssue({ code: 'custom', message: reason });
    });
}

function choice<const T extends readonly [string, ...string[]]>(values: T): z.ZodType<T[number]> {
  return z.enum(values, { error: `must be one of ${values.join(', ')}` });
}

function whole(least: number, most: number): z.ZodType<number> {
  const message = `must be a whole number from ${least} to ${most}`;
  const error = (issue: { input?: unknown }): string => (issue.input === undefined ? 'is missing' : message);
  return z.int({ error }).min(least, { error: message }).max(most, { error: message });
}

/** What to say when something else stands where an object belongs. */
export function notObject(message: string): { error: (issue: { code: string }) => string | undefined } {
  return { error: ({ code }) => (code === 'invalid_type' ? message : undefined) };
}

const yesOrNo = z.boolean({ error: 'must be true or false' });

/** A size as people write it; becomes bytes. Numbers are refused: they could be bytes, MiB or GiB. */
function size(kind: keyof typeof check.SIZE_BOUNDS): z.ZodType<number> {
  return z
    .unknown()
    .superRefine((value, context) => {
      const reason =
        value === undefined
          ? 'is missing'
          : typeof value === 'number' || typeof value === 'string'
            ? check.whyNotSize(kind)(String(value))
            : 'must be a size, like 8GiB';
      if (reason !== undefined) context.addIssue({ code: 'custom', message: reason });
    })
    .meta(FORMS[kind])
    .transform((value) => parseSize(String(value)) ?? z.NEVER);
}

function bytes(kind: keyof typeof check.SIZE_BOUNDS): z.ZodType<number> {
  return z.number({ error: 'must be a number of bytes' }).superRefine((value, context) => {
    const reason = check.whyNotBytes(kind, value);
    if (reason !== undefined) context.addIssue({ code: 'custom', message: reason });
  });
}

function list<T>(item: z.ZodType<T>, most: number, what: string): z.ZodType<T[]> {
  return z.array(item, { error: `must be a list of ${what}` }).max(most, { error: `has more than ${most} ${what}` });
}

const kernelWords = list(text(check.whyNotKernelWord).meta(FORMS.kernelWord), check.MOST_KERNEL_WORDS, 'kernel words');

/** Why a name is refused, worded to follow the field's name. */
function whyNotName(name: string): string | undefined {
  const reason = whyNotGuestName(name);
  return reason === undefined ? undefined : `cannot be a guest's name: ${reason}`;
}

export const field = {
  order: text(whyNotOrderId).meta(FORMS.order),
  name: text(whyNotName).meta(FORMS.name),
  planName: text(check.whyNotPlanName).meta(FORMS.planName),
  dom0: text((name) => (DOM0_NAME_PATTERN.test(name) ? undefined : 'is no name of a dom0: a host name in lower case')).meta(FORMS.dom0),
  type: choice(['pv', 'pvh']).meta(FORMS.type),
  memory: size('memory'),
  disk: size('disk'),
  swap: size('swap'),
  memoryBytes: bytes('memory'),
  diskBytes: bytes('disk'),
  swapBytes: bytes('swap'),
  vcpus: whole(...check.COUNT_BOUNDS.vcpus).meta(FORMS.vcpus),
  dist: text(check.whyNotDist).meta(FORMS.dist),
  fs: choice(['ext4', 'ext3']).meta(FORMS.fs),
  fsOptions: text(check.whyNotFsOptions).meta(FORMS.fsOptions),
  image: choice(['sparse', 'full']).meta(FORMS.image),
  installMethod: choice(['golden', 'debootstrap']).meta(FORMS.installMethod),
  serialDevice: text(check.whyNotSerialDevice).meta(FORMS.serialDevice),
  timezone: text(check.whyNotTimezone).meta(FORMS.timezone),
  retention: z
    .strictObject({ daily: whole(...check.COUNT_BOUNDS.retentionDaily).meta(FORMS.retentionDaily) }, notObject('must be {daily: N}'))
    .meta(FORMS.retention),
  managed: yesOrNo.meta(FORMS.managed),
  debootstrap: yesOrNo.meta(FORMS.debootstrap),
  sshKeys: list(text(whyNotSshKey).meta(FORMS.sshKey).transform(normalSshKey), check.MOST_SSH_KEYS, 'SSH keys').meta(FORMS.sshKeys),
  passwordHash: text(check.whyNotPasswordHash).meta(FORMS.passwordHash),
  ip: text(check.whyNotAddress).meta(FORMS.ip),
  netmask: text(check.whyNotNetmask).meta(FORMS.netmask),
  gateway: text(check.whyNotAddress).meta(FORMS.gateway),
  bridge: text(check.whyNotBridge).meta(FORMS.bridge),
  mac: text(check.whyNotMac).meta(FORMS.mac).transform(check.normalMac),
  mirror: text(whyNotMirror).meta(FORMS.mirror).transform(normalMirror),
  role: text(check.whyNotRole).meta(FORMS.role),
  kernelWords,
  /** One string is taken apart at its blanks. */
  extra: z
    .preprocess((value) => (typeof value === 'string' ? value.split(' ').filter((word) => word !== '') : value), kernelWords)
    .meta(FORMS.extra),
  backupAt: text(check.whyNotClock).meta(FORMS.backupAt),
  graceDays: whole(...check.COUNT_BOUNDS.graceDays).meta(FORMS.graceDays),
  keepBackupsDays: whole(...check.COUNT_BOUNDS.keepBackupsDays),
  suspend: choice(['shutdown', 'pause']),
  restart: choice(['always', 'on-crash', 'never']),
} as const;
