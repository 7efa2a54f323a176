/** What billing systems send, as schemas: the edge checks with them, and publishes them. (`billing-types.ts` is for workflow code.) */
import { createHash } from 'node:crypto';
import { z } from 'zod';
import { field, notObject, PLAN_NAME_PATTERN, text } from './field-schemas.ts';
import { ORDER_ID_PATTERN } from './guest-name.ts';

/** Characters of the order's id in a guest's name. */
const READABLE = 24;
/** 80 bits: two orders with one name are not found by looking for them, and would be refused by the guest workflow if they were. */
const HASH_DIGITS = 20;

/**
 * The name of the guest of an order: what is readable of the id, and a hash, so that every id maps to a name of its own that xl, LVM and
 * DNS take.
 */
export function guestNameOfOrder(order: string): string {
  const readable = order
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '-')
    .slice(0, READABLE)
    .replace(/^-+|-+$/g, '');
  return `g-${readable}-${createHash('sha256').update(order).digest('hex').slice(0, HASH_DIGITS)}`;
}

const HOSTNAME_PATTERN = /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)*$/;
/** What Linux takes (HOST_NAME_MAX), less one for the tools that count the end. */
const LONGEST_HOSTNAME = 63;

/** Why a machine cannot be called so, or undefined. */
function whyNotHostname(name: string): string | undefined {
  if (name.length > LONGEST_HOSTNAME) return `is longer than ${String(LONGEST_HOSTNAME)} characters`;
  if (!HOSTNAME_PATTERN.test(name))
    return 'is no host name: letters, digits and hyphens, labels joined by dots, no hyphen at the start or end of a label';
  return /(^|\.)[0-9]+$/.test(name) ? 'is no host name: its last label is a number' : undefined;
}

/** Host names are the same in either case; they are kept in lower case. */
export const hostname = z
  .preprocess((value) => (typeof value === 'string' ? value.toLowerCase() : value), text(whyNotHostname))
  .meta({
    description: 'Host name in the guest. Unique among the orders that are not over.',
    examples: ['shop.example.org'],
    type: 'string',
    maxLength: LONGEST_HOSTNAME,
    pattern: HOSTNAME_PATTERN.source.replaceAll('a-z', 'A-Za-z'),
  });

export const orderId = field.order.meta({
  description: 'Id of the order: the same id again is the same order.',
  pattern: ORDER_ID_PATTERN.source,
  examples: ['A-10042'],
});

const CUSTOMER_ID = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/;

/** Ids of customers are text; many billing systems count them. */
export const customerId = z
  .preprocess(
    // A number beyond 2^53 has lost its last digits already: it would be another customer's.
    (value) => (Number.isSafeInteger(value) ? String(value) : value),
    text((id) =>
      CUSTOMER_ID.test(id)
        ? undefined
        : 'is no id of a customer: 1-64 letters, digits, dots, hyphens, underscores, starting with a letter or digit',
    ),
  )
  .meta({ description: 'Id of the customer in your billing.', type: ['string', 'integer'], pattern: CUSTOMER_ID.source });

const planName = field.planName.meta({ description: 'Name of the plan.', pattern: PLAN_NAME_PATTERN.source, examples: ['small'] });
const PRICE_ID = /^[\x21-\x7e]{1,128}$/;
const priceId = text((id) => (PRICE_ID.test(id) ? undefined : 'is no id of a price')).meta({
  description: 'Id of the price; the file of prices maps it to a plan.',
  pattern: PRICE_ID.source,
});
const sshKeys = field.sshKeys.meta({ description: 'Public keys for root, OpenSSH lines without options, at most 20. Default: none.' });

/** What an order may say of its guest beside plan and host name. */
export const wishes = {
  sshKeys: sshKeys.optional(),
  passwordHash: field.passwordHash.meta({ description: "crypt(5) hash of root's password. A password itself is never taken." }).optional(),
  dist: field.dist.meta({ description: "Distribution. Default: the plan's." }).optional(),
  timezone: field.timezone.meta({ description: "IANA name. Default: the plan's." }).optional(),
};

const customer = z
  .looseObject({ id: customerId.optional() }, notObject('must be an object'))
  .meta({ description: 'Of the customer only the id is kept.' });
const planOrPrice = { plan: planName.optional(), price: priceId.optional() };

const onePlan = (data: { plan?: string | undefined; price?: string | undefined }, context: z.core.$RefinementCtx): void => {
  if ((data.plan === undefined) === (data.price === undefined))
    context.addIssue({
      code: 'custom',
      path: ['plan'],
      message: data.plan === undefined ? 'is missing, and so is price: give one of them' : 'and price are both given: give one of them',
    });
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

/** `POST /webhooks/signup`. Unknown keys are left alone: senders add some. */
export const signupEventSchema = z.discriminatedUnion('type', [
  signupType(
    'order.paid',
    'An order is paid for: its guest is made.',
    z.looseObject({ order: orderId, hostname, ...planOrPrice, customer: customer.optional(), ...wishes }, anObject).superRefine(onePlan),
  ),
  signupType(
    'order.upgraded',
    'Another plan is paid for.',
    z.looseObject({ order: orderId, ...planOrPrice }, anObject).superRefine(onePlan),
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
