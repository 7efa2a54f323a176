/** What billing systems send, as schemas: the edge checks with them, and publishes them. (`contract/billing.ts` is for workflow code.) */
import { createHash } from 'node:crypto';
import { z } from 'zod';
import { FIELDS } from '../contract/fields.ts';
import { field, notObject, text } from './field-schemas.ts';
import { countedId, ORDER_ID_PATTERN, whyNotOrderId } from '../contract/guest-name.ts';
import { HOSTNAME_FORM, LONGEST_HOSTNAME, normalHostname, whyNotHostname } from '../contract/host-name.ts';

/** Characters of the order's id in a guest's name. */
const READABLE = 24;
/** 80 bits: nobody finds two orders that get the same name; and if somebody did, the guest workflow would refuse the second. */
const HASH_DIGITS = 20;

/**
 * The name of an order's guest: the readable part of the order's id, and a hash. So each id has a name of its own, which xl, LVM and DNS
 * accept.
 */
export function guestNameOfOrder(order: string): string {
  const readable = order
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '-')
    .slice(0, READABLE)
    .replace(/^-+|-+$/g, '');
  return `g-${readable}-${createHash('sha256').update(order).digest('hex').slice(0, HASH_DIGITS)}`;
}

/** Kept in lower case and without the dot of the root. */
export const hostname = z
  .preprocess((value) => (typeof value === 'string' ? normalHostname(value) : value), text(whyNotHostname))
  .meta({
    description: 'Host name in the guest. Unique among the orders that are not over. Its first label becomes the short name.',
    examples: ['shop.example.org'],
    type: 'string',
    // With the dot of the root.
    maxLength: LONGEST_HOSTNAME + 1,
    pattern: HOSTNAME_FORM,
  });

const COUNTED = { type: ['string', 'integer'], minimum: 0, maximum: Number.MAX_SAFE_INTEGER } as const;

/** Billing systems count orders, or make ids of letters and digits. */
export const orderId = z.preprocess(countedId, text(whyNotOrderId)).meta({
  description: 'Id of the order: the same id again is the same order, 17 and "17" are one.',
  ...COUNTED,
  pattern: ORDER_ID_PATTERN.source,
  examples: ['A-10042'],
});

const CUSTOMER_ID = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/;

/** Ids of customers are text; many billing systems count them. */
export const customerId = z
  .preprocess(
    countedId,
    text((id) =>
      CUSTOMER_ID.test(id)
        ? undefined
        : 'is no id of a customer: 1-64 letters, digits, dots, hyphens, underscores, starting with a letter or digit',
    ),
  )
  .meta({ description: 'Id of the customer in your billing.', ...COUNTED, pattern: CUSTOMER_ID.source });

/** A field that may be left out, or left empty: many billing systems send '' for a field that nobody has filled in. */
function mayBeEmpty<S extends z.ZodType>(
  schema: S,
  meta: z.core.GlobalMeta = {},
): z.ZodType<z.output<S> | undefined, z.input<S> | undefined> {
  const { pattern } = meta;
  return z
    .preprocess((value) => (value === '' ? undefined : value), schema.optional())
    .optional()
    .meta({ ...meta, ...(typeof pattern === 'string' ? { pattern: `^$|${pattern}` } : {}) }) as never;
}

const planName = mayBeEmpty(field.plan, { ...FIELDS.plan.form, description: 'Name of the plan.' });
const PRICE_ID = /^[\x21-\x7e]{1,128}$/;
const priceId = mayBeEmpty(
  text((id) => (PRICE_ID.test(id) ? undefined : 'is no id of a price')),
  { description: 'Id of the price; the file of prices maps it to a plan.', pattern: PRICE_ID.source },
);

/** What an order may say of its guest beside plan and host name. */
const wishes = {
  sshKeys: mayBeEmpty(field.sshKeys, {
    description: 'Public keys for root, OpenSSH lines without options, at most 20; comments are not kept. Default: none.',
    type: ['array', 'string'],
    maxLength: 0,
    items: { type: 'string', ...FIELDS.sshKeys.value.item.form },
  }),
  passwordHash: mayBeEmpty(field.passwordHash, {
    description: "crypt(5) hash of root's password. A password itself is never taken.",
    pattern: FIELDS.passwordHash.form.pattern,
  }),
  dist: mayBeEmpty(field.dist, { description: "Distribution. Default: the plan's.", enum: ['', ...FIELDS.dist.form.enum] }),
  timezone: mayBeEmpty(field.timezone, {
    description: "IANA name. Default: the plan's.",
    pattern: FIELDS.timezone.form.pattern,
  }),
};

/** Schemas of single wishes: Stripe's metadata are checked one by one. */
export const wishFields = { hostname, customer: customerId, sshKeys: field.sshKeys, dist: field.dist, timezone: field.timezone } as const;

const customer = z
  .looseObject({ id: mayBeEmpty(customerId, { type: COUNTED.type, pattern: CUSTOMER_ID.source }) }, notObject('must be an object'))
  .meta({ description: 'Of the customer only the id is kept.' });
const planOrPrice = { plan: planName, price: priceId };

const onePlan = (data: { plan?: string | undefined; price?: string | undefined }, context: z.core.$RefinementCtx): void => {
  if ((data.plan === undefined) === (data.price === undefined))
    context.addIssue({
      code: 'custom',
      path: ['plan'],
      message: data.plan === undefined ? 'is missing, and so is price: give one of them' : 'and price are both given: give one of them',
    });
};

/** `onePlan` in JSON Schema: one of the two keys is given and not empty; the other one is missing or empty. */
const ONE_PLAN = {
  oneOf: [
    ['plan', 'price'],
    ['price', 'plan'],
  ].map(([given = '', other = '']) => ({
    type: 'object',
    required: [given],
    properties: { [given]: { type: 'string', minLength: 1 }, [other]: { type: 'string', maxLength: 0 } },
  })),
};

const timestamp = z.iso
  .datetime({ offset: true, error: 'must be a time in ISO 8601 with a time zone, like 2026-01-31T12:00:00Z' })
  .meta({ description: 'When it happened. The newest event of an order wins, whatever the order of arrival.' });
const anObject = notObject('must be an object');

function signupType<T extends string, S extends z.ZodType>(
  type: T,
  description: string,
  data: S,
): z.ZodObject<{ type: z.ZodLiteral<T>; timestamp: typeof timestamp; data: S }, z.core.$loose> {
  return z.looseObject({ type: z.literal(type), timestamp, data }, anObject).meta({ description });
}

const onlyOrder = z.looseObject({ order: orderId }, anObject);

/** `POST /webhooks/signup`. Unknown keys are ignored, since senders add some. */
export const signupEventSchema = z.discriminatedUnion('type', [
  signupType(
    'order.paid',
    'An order is paid for: its guest is made.',
    z
      .looseObject({ order: orderId, hostname, ...planOrPrice, customer: customer.optional(), ...wishes }, anObject)
      .superRefine(onePlan)
      .meta(ONE_PLAN),
  ),
  signupType(
    'order.upgraded',
    'Another plan is paid for.',
    z
      .looseObject({ order: orderId, ...planOrPrice }, anObject)
      .superRefine(onePlan)
      .meta(ONE_PLAN),
  ),
  signupType('order.suspended', 'The guest is shut down; its disks and its address are kept.', onlyOrder),
  signupType('order.unsuspended', 'The guest runs again.', onlyOrder),
  signupType('order.terminated', "The guest goes, after its plan's grace period.", onlyOrder),
]);

export type SignupEvent = z.output<typeof signupEventSchema>;

export const SIGNUP_TYPES = [
  'order.paid',
  'order.upgraded',
  'order.suspended',
  'order.unsuspended',
  'order.terminated',
] as const satisfies readonly SignupEvent['type'][];

/** JSON Schema of `POST /webhooks/signup`. */
export function signupJsonSchema(): object {
  return {
    $id: 'signup.json',
    title: 'guestflow signup events',
    ...z.toJSONSchema(signupEventSchema, { io: 'input', unrepresentable: 'any' }),
  };
}
