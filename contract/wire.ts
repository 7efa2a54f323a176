/**
 * Schemas of what activities take: the dom0 worker is root and checks again what the control worker sends, whoever that may be.
 * The fields are those of the table (`fields.ts`), and what they ask of each other (`order-rules.ts`); here each is there in the one form in which it is kept.
 */
import { z } from 'zod';
import { BACKUP_ID } from './backup.ts';
import type { ForeignWish } from './chosen-backup.ts';
import * as check from './field-checks.ts';
import { DOM0_NAME_PATTERN } from './guest-name.ts';
import { FIELDS, inGroups, isAlwaysKept, type Field, type FieldTable } from './fields.ts';
import type { FieldGroup, GuestFields } from './field-types.ts';
import { HOSTNAME_PATTERN, LONGEST_HOSTNAME } from './host-name.ts';
import { ruleProblems } from './order-rules.ts';
import type { GuestOrder, GuestRef, GuestSpec } from './guest.ts';

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

/** The schema of one field in the one form in which it is kept. */
function keptSchemaOf({ value }: Field): z.ZodType {
  switch (value.is) {
    case 'text':
      return value.normal === undefined ? text(value.whyNot) : normal(value.whyNot, value.normal);
    case 'choice':
      return z.enum(value.values);
    case 'size':
      return bytes(value.bounds);
    case 'count':
      return count(value.bounds);
    case 'yes or no':
      return z.boolean();
    case 'list':
      // One line each: they become lines of files. Their normal form is what was made of them at the edge.
      return z.array(text(value.item.whyNot)).max(value.most);
    case 'counts':
      return z
        .strictObject(Object.fromEntries(Object.entries(value.keys).map(([key, { bounds }]) => [key, z.exactOptional(count(bounds))])))
        .refine((counts) => Object.keys(counts).length > 0, 'has no count');
  }
}

/** A schema of what is kept of a guest, as far as a table of fields has it. */
export function keptSchema(fields: FieldTable): z.ZodObject {
  const shape = inGroups<z.ZodType>(fields, (_name, field) => {
    const schema = keptSchemaOf(field);
    return isAlwaysKept(field) ? schema : z.exactOptional(schema);
  });
  return z.object(Object.fromEntries(Object.entries(shape).map(([key, one]) => [key, one instanceof z.ZodType ? one : z.object(one)])));
}

/** A schema for each field, as optional as the field. */
type Shape<T> = {
  readonly [K in keyof T]-?: Partial<Pick<T, K>> extends Pick<T, K>
    ? z.ZodExactOptional<z.ZodType<Exclude<T[K], undefined>>>
    : K extends FieldGroup
      ? z.ZodObject<Shape<T[K]>>
      : z.ZodType<T[K]>;
};

/** What the table says, field by field. */
const kept = keptSchema(FIELDS).shape as unknown as Shape<GuestFields>;

const ipv6 = z.object({ address: z.ipv6(), gateway: z.ipv6() });

/** Boxes of `sealed-box.ts`, by the dom0 that can open each. */
const sealedPassword = z.record(
  z.string().regex(DOM0_NAME_PATTERN, 'is no name of a dom0'),
  z.string().regex(/^[A-Za-z0-9_-]{60,1000}$/, 'is no sealed box'),
);

const decided = {
  ...kept,
  hostname: z.string().max(LONGEST_HOSTNAME).regex(HOSTNAME_PATTERN, 'is no host name').exactOptional(),
  customer: z
    .string()
    .regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/, 'is no customer id')
    .exactOptional(),
  origin: z
    .object({
      guest: kept.name,
      order: kept.order,
      backup: z.string().regex(BACKUP_ID, 'is no id of a backup'),
      dom0: kept.dom0.exactOptional(),
      isItself: z.literal(true).exactOptional(),
    })
    .exactOptional(),
  // A password crosses to a dom0 as a sealed box only.
  access: kept.access.omit({ passwordHash: true }).extend({ sealedPassword: sealedPassword.exactOptional() }),
};

const { ip, netmask, gateway, bridge, mac } = kept.network.shape;

/** A guest's network, with everything decided. */
const network = z.object({
  ip: ip.unwrap(),
  netmask: netmask.unwrap(),
  gateway: gateway.unwrap(),
  bridge: bridge.unwrap(),
  mac: mac.unwrap(),
  ipv6: ipv6.exactOptional(),
});

/** What one field asks of another. */
function together({ size, os }: Pick<GuestFields, 'size' | 'os'>, context: z.core.$RefinementCtx): void {
  for (const { field, value, reason } of ruleProblems({ ...size, ...os }))
    context.addIssue({ code: 'custom', path: [field], message: `${value} ${reason}` });
}

export const guestRefSchema = z.object({ name: kept.name, order: kept.order, dom0: kept.dom0 }) satisfies z.ZodType<GuestRef>;

/** Which backup of a guest is looked for among those that other dom0s have taken. */
export const foreignWishSchema = z.object({
  name: kept.name,
  order: kept.order.exactOptional(),
  backup: z.string().regex(BACKUP_ID, 'is no id of a backup').exactOptional(),
  at: z.iso.datetime().exactOptional(),
}) satisfies z.ZodType<ForeignWish>;

export const guestOrderWireSchema = z.object(decided).superRefine(together) satisfies z.ZodType<GuestOrder>;

export const guestSpecSchema = z.object({ ...decided, network }).superRefine(together) satisfies z.ZodType<GuestSpec>;

/** A lease of the ledger. */
export const leasedAddressSchema = network;
