/**
 * Schemas of what activities take: the dom0 worker is root and checks again what the control worker sends, whoever that may be.
 * The rules are those of orders (`field-checks.ts`, `order-rules.ts`); here every field is there, and in the one form in which it is kept.
 */
import { z } from 'zod';
import * as check from './field-checks.ts';
import { DOM0_NAME_PATTERN, ORDER_ID_PATTERN, whyNotGuestName } from './guest-name.ts';
import { HOSTNAME_PATTERN, LONGEST_HOSTNAME } from './host-name.ts';
import { normalMirror, whyNotMirror } from './mirror.ts';
import { ruleProblems } from './order-rules.ts';
import { whyNotSshKey } from './ssh-key.ts';
import type { GuestOrder, GuestRef, GuestSpec } from './types.ts';

/** Longest text of any field. */
const LONGEST = 4_096;

/** Text that passes a check of orders. */
function text(whyNot: check.Check): z.ZodString {
  return z
    .string()
    .max(LONGEST)
    .superRefine((value, context) => {
      const reason = value.length > LONGEST ? undefined : whyNot(value);
      if (reason !== undefined) context.addIssue({ code: 'custom', message: reason });
    });
}

/** The same, in its normal form: what people may write in another way was changed at the edge. */
function normal(whyNot: check.Check, normalOf: (text: string) => string): z.ZodString {
  return text((value) => whyNot(value) ?? (normalOf(value) === value ? undefined : `must be written ${normalOf(value)}`));
}

function bytes(kind: keyof typeof check.SIZE_BOUNDS): z.ZodNumber {
  return z.number().superRefine((value, context) => {
    const reason = check.whyNotBytes(kind, value);
    if (reason !== undefined) context.addIssue({ code: 'custom', message: reason });
  });
}

function count(kind: keyof typeof check.COUNT_BOUNDS): z.ZodNumber {
  const [least, most] = check.COUNT_BOUNDS[kind];
  return z.number().int().min(least).max(most);
}

const name = text(whyNotGuestName);
const order = z.string().regex(ORDER_ID_PATTERN, 'is no order id');
const dom0 = z.string().regex(DOM0_NAME_PATTERN, 'is no name of a dom0');
const bridge = text(check.whyNotBridge);
const mac = normal(check.whyNotMac, check.normalMac);
const address = text(check.whyNotAddress);
const netmask = text(check.whyNotNetmask);
const ipv6 = z.object({ address: z.ipv6(), gateway: z.ipv6() });

/** Boxes of `sealed-box.ts`. */
const sealedPassword = z.record(dom0, z.string().regex(/^[A-Za-z0-9_-]{60,1000}$/, 'is no sealed box'));

const decided = {
  order,
  name,
  hostname: z.string().max(LONGEST_HOSTNAME).regex(HOSTNAME_PATTERN, 'is no host name').exactOptional(),
  customer: z
    .string()
    .regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/, 'is no customer id')
    .exactOptional(),
  plan: text(check.whyNotPlanName),
  dom0,
  type: z.enum(['pv', 'pvh']),
  memoryBytes: bytes('memory'),
  vcpus: count('vcpus'),
  maxMemoryBytes: bytes('memory').exactOptional(),
  maxVcpus: count('vcpus').exactOptional(),
  diskBytes: bytes('disk'),
  swapBytes: bytes('swap'),
  dist: text(check.whyNotDist),
  fs: z.enum(['ext4', 'ext3']),
  fsOptions: text(check.whyNotFsOptions),
  image: z.enum(['sparse', 'full']),
  installMethod: z.enum(['golden', 'debootstrap']),
  serialDevice: text(check.whyNotSerialDevice),
  timezone: text(check.whyNotTimezone),
  retention: z.object({ daily: count('retentionDaily') }),
  managed: z.boolean(),
  /** One line each: they become lines of `authorized_keys`. */
  sshKeys: z.array(text(whyNotSshKey)).max(check.MOST_SSH_KEYS),
  sealedPassword: sealedPassword.exactOptional(),
  mirror: normal(whyNotMirror, normalMirror).exactOptional(),
  role: text(check.whyNotRole).exactOptional(),
  extra: z.array(text(check.whyNotKernelWord)).max(check.MOST_KERNEL_WORDS),
  backupAt: text(check.whyNotClock).exactOptional(),
  graceDays: count('graceDays'),
  keepBackupsDays: count('keepBackupsDays').exactOptional(),
  restart: z.enum(['always', 'on-crash', 'never']).exactOptional(),
  suspend: z.enum(['shutdown', 'pause']).exactOptional(),
};

/** What one field asks of another. */
function together(fields: Parameters<typeof ruleProblems>[0], context: z.core.$RefinementCtx): void {
  for (const { field, value, reason } of ruleProblems(fields))
    context.addIssue({ code: 'custom', path: [field], message: `${value} ${reason}` });
}

export const guestRefSchema = z.object({ name, order, dom0 }) satisfies z.ZodType<GuestRef>;

export const guestOrderWireSchema = z
  .object({
    ...decided,
    ip: address.exactOptional(),
    netmask: netmask.exactOptional(),
    gateway: address.exactOptional(),
    bridge: bridge.exactOptional(),
    mac: mac.exactOptional(),
  })
  .superRefine(together) satisfies z.ZodType<GuestOrder>;

export const guestSpecSchema = z
  .object({
    ...decided,
    network: z.object({ ip: address, netmask, gateway: address, bridge, mac, ipv6: ipv6.exactOptional() }),
  })
  .superRefine(together) satisfies z.ZodType<GuestSpec>;

/** A lease of the ledger. */
export const reservationSchema = z.object({
  ip: address,
  netmask,
  gateway: address,
  bridge,
  mac,
  ipv6: ipv6.exactOptional(),
});
