/** The parts of Stripe's events that guestflow reads, in the shapes of its current API (2026) and of older ones, where fields stood elsewhere. */
import { z } from 'zod';
import { customerId, hostname, orderId, wishes } from '../contract/billing.ts';
import { field } from '../contract/field-schemas.ts';
import { sshKeyLines } from '../contract/ssh-key.ts';

const id = z.string().max(255);
const idOrObject = z.union([id, z.looseObject({ id }).transform((object) => object.id)]);
const metadata = z.record(z.string(), z.string()).nullish();

/** What all events have. */
export const stripeEventSchema = z.looseObject({
  id,
  type: z.string().max(255),
  /** Seconds since 1970. */
  created: z.number().int().positive().max(10_000_000_000),
  api_version: z.string().max(64).nullish(),
  data: z.looseObject({ object: z.looseObject({}) }),
});

const customer = idOrObject.nullish();

export const sessionSchema = z.looseObject({ metadata, customer, mode: z.string().nullish(), payment_status: z.string() });

const subscriptionItem = z.looseObject({ price: idOrObject.nullish(), plan: idOrObject.nullish() });

export const subscriptionSchema = z.looseObject({
  metadata,
  customer,
  status: z.string(),
  items: z.looseObject({ data: z.array(subscriptionItem), has_more: z.boolean().nullish() }).nullish(),
  /** Before items: one subscription, one plan. */
  plan: idOrObject.nullish(),
});

const details = z.looseObject({ metadata }).nullish();

const invoiceLine = z.looseObject({
  metadata,
  /** Since 2025-03-31. */
  pricing: z.looseObject({ price_details: z.looseObject({ price: idOrObject.nullish() }).nullish() }).nullish(),
  price: idOrObject.nullish(),
  plan: idOrObject.nullish(),
});

export const invoiceSchema = z.looseObject({
  metadata,
  customer,
  /** Since 2025-03-31. */
  parent: z.looseObject({ subscription_details: details }).nullish(),
  subscription_details: details,
  lines: z.looseObject({ data: z.array(invoiceLine), has_more: z.boolean().nullish() }).nullish(),
});

/** What the provider's checkout writes into `metadata`. Texts of at most 500 characters: Stripe's limit. */
export const metadataSchema = z.object({
  order: orderId,
  hostname: hostname.optional(),
  plan: field.planName.optional(),
  sshKeys: z.preprocess((value) => (typeof value === 'string' ? sshKeyLines(value) : value), wishes.sshKeys),
  dist: wishes.dist,
  timezone: wishes.timezone,
  customer: customerId.optional(),
});

export type StripeMetadata = z.output<typeof metadataSchema>;

/** Prices of a subscription; a plan's id of an older API is that of a price. */
export function pricesOfSubscription({ items, plan }: z.output<typeof subscriptionSchema>): string[] {
  const ofItems = (items?.data ?? []).map((item) => item.price ?? item.plan);
  return [...ofItems, ...(ofItems.length === 0 ? [plan] : [])].filter((price) => typeof price === 'string');
}

/** Prices of an invoice. */
export function pricesOfInvoice({ lines }: z.output<typeof invoiceSchema>): string[] {
  return (lines?.data ?? [])
    .map(({ pricing, price, plan }) => pricing?.price_details?.price ?? price ?? plan)
    .filter((price) => typeof price === 'string');
}

/** The metadata of the subscription that an invoice is for. The oldest shape has it at the lines. */
export function metadataOfInvoice({
  parent,
  subscription_details: older,
  lines,
  metadata: own,
}: z.output<typeof invoiceSchema>): Readonly<Record<string, string>> {
  const places = [parent?.subscription_details?.metadata, older?.metadata, ...(lines?.data ?? []).map((line) => line.metadata), own];
  return places.find((place) => (place?.['order'] ?? '') !== '') ?? {};
}
