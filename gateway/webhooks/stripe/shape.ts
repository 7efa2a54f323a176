/**
 * The parts of Stripe's objects that guestflow reads, in the shapes of its current API (2026) and of older ones, where fields stood
 * elsewhere. Nothing is refused for its shape: what is not as it should be is read as not there. Metadata is anybody's to write.
 */
import { z } from 'zod';
import { defined } from '../../../contract/defined.ts';

const id = z.string().max(255);

/** What all events have. */
export const stripeEventSchema = z.looseObject({
  id,
  type: z.string().max(255),
  /** Seconds since 1970. */
  created: z.number().int().positive().max(10_000_000_000),
  api_version: z.unknown().optional(),
  data: z.looseObject({ object: z.looseObject({}), previous_attributes: z.unknown().optional() }),
});

export type StripeObject = Readonly<Record<string, unknown>>;

/** An object's keys; none for what is no object. */
export function fields(value: unknown): StripeObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as StripeObject) : {};
}

/** The id that stands there, by itself or in the object that it was expanded to. */
export function idOf(value: unknown): string | undefined {
  const found = typeof value === 'string' ? value : fields(value)['id'];
  return typeof found === 'string' && found !== '' && found.length <= 255 ? found : undefined;
}

/** Objects of a list as Stripe has it, and whether they are all of them. */
function listOf(value: unknown): { data: StripeObject[]; isWhole: boolean } {
  const { data, has_more } = fields(value);
  return { data: Array.isArray(data) ? data.map(fields) : [], isWhole: has_more !== true };
}

/** Metadata; keys that were left empty, as a checkout writes them, are not there. */
export function metadataOf(value: unknown): StripeObject {
  return Object.fromEntries(Object.entries(fields(value)).filter(([, held]) => held !== '' && held !== null));
}

export interface Prices {
  /** Ids, in a fixed order, each once. */
  readonly ids: readonly string[];
  /** Stripe sends the first ones of many. */
  readonly isWhole: boolean;
}

/** Prices of a subscription, and what each is bought how often. */
export interface SubscriptionPrices extends Prices {
  /** Quantities other than one, by price; of a price of several items the largest. */
  readonly quantities: Readonly<Record<string, number>>;
  /** There are items, and none of them is bought any more. */
  readonly isEmptied: boolean;
}

function pricesOf(found: readonly (string | undefined)[], isWhole: boolean): Prices {
  return { ids: [...new Set(found.filter((price) => price !== undefined))].sort(), isWhole };
}

/**
 * Prices of a subscription; a plan's id of an older API is that of a price. An item that is deleted, or of quantity 0, is paid for no longer. Before
 * items there was one plan, at the top.
 */
export function pricesOfSubscription({ items, plan, quantity }: StripeObject): SubscriptionPrices {
  const { data, isWhole } = listOf(items);
  const all = data.length === 0 ? [{ plan, quantity }] : data;
  const held = all.filter(({ deleted, quantity: count }) => deleted !== true && count !== 0);
  const quantities: Record<string, number> = {};
  for (const item of held) {
    const [price, count] = [priceOfItem(item), item['quantity']];
    if (price !== undefined && typeof count === 'number' && count > 1) quantities[price] = Math.max(quantities[price] ?? 1, count);
  }
  return { ...pricesOf(held.map(priceOfItem), isWhole), quantities, isEmptied: isWhole && data.length > 0 && held.length === 0 };
}

function priceOfItem({ price, plan }: StripeObject): string | undefined {
  return idOf(price) ?? idOf(plan);
}

/**
 * Prices of a subscription before a change. Newer APIs keep the period at the items: what was before may name that alone, and the item's price was then
 * the one that it has.
 */
export function pricesBefore(object: StripeObject, former: StripeObject): SubscriptionPrices {
  if (!('items' in former)) return pricesOfSubscription('plan' in former ? former : object);
  const now = listOf(object['items']).data;
  const { data, isWhole } = listOf(former['items']);
  const whole = data.map((item, index) => {
    const same = now.find(({ id: itemId }) => itemId !== undefined && itemId === item['id']) ?? now[index];
    return priceOfItem(item) === undefined ? { ...same, ...item } : item;
  });
  return pricesOfSubscription({ ...former, items: { data: whole, has_more: !isWhole } });
}

/** Prices of an invoice, and whether all that it is for is no part of a subscription. */
export function pricesOfInvoice({ lines }: StripeObject): Prices & { readonly isOneOff: boolean } {
  const { data, isWhole } = listOf(lines);
  const priceOf = ({ pricing, price, plan }: StripeObject): string | undefined =>
    // `pricing` since 2025-03-31.
    idOf(fields(fields(pricing)['price_details'])['price']) ?? idOf(price) ?? idOf(plan);
  return { ...pricesOf(data.map(priceOf), isWhole), isOneOff: isWhole && data.length > 0 && data.every(isOneOff) };
}

/** `parent.type` since 2025-03-31, `type` before it. What a change of plan costs in between is a part of the subscription. */
function isOneOff({ parent, type, proration }: StripeObject): boolean {
  const details = fields(fields(parent)['invoice_item_details']);
  if (proration === true || details['proration'] === true) return false;
  return fields(parent)['type'] === 'invoice_item_details' || type === 'invoiceitem';
}

export interface InvoiceOrigin {
  readonly metadata: StripeObject;
  readonly subscription?: string;
  readonly isOfSubscription: boolean;
}

/**
 * The subscription that an invoice is for, and its metadata as the invoice has copied them. The oldest shape has metadata at the lines; those of a line
 * that is no part of a subscription are the line's own.
 */
export function originOfInvoice(invoice: StripeObject): InvoiceOrigin {
  const { lines, metadata: own, subscription } = invoice;
  const parent = fields(fields(invoice['parent'])['subscription_details']);
  const older = fields(invoice['subscription_details']);
  const all = listOf(lines).data;
  const ofSubscription = all.filter((line) => !isOneOff(line));
  const withOrder = (places: readonly unknown[]): StripeObject | undefined =>
    places.map(metadataOf).find(({ order }) => order !== undefined);
  const copied = withOrder([parent['metadata'], older['metadata'], ...ofSubscription.map(({ metadata }) => metadata)]);
  const found = [parent['subscription'], subscription, ...ofSubscription.map(subscriptionOfLine)]
    .map(idOf)
    .find((held) => held !== undefined);
  return {
    metadata: copied ?? withOrder([own, ...all.map(({ metadata }) => metadata)]) ?? metadataOf(own),
    isOfSubscription: found !== undefined || copied !== undefined || all.some(({ type }) => type === 'subscription'),
    ...defined({ subscription: found }),
  };
}

function subscriptionOfLine({ parent, subscription }: StripeObject): unknown {
  return fields(fields(parent)['subscription_item_details'])['subscription'] ?? subscription;
}

/** Whether an invoice is of nothing, or less: a coupon, a credit. Stripe calls such invoices paid at once. */
export function isOfNothing({ total }: StripeObject): boolean {
  return typeof total === 'number' && total <= 0;
}

/** When an invoice or a session was made: what it has copied is of that moment. Milliseconds since 1970. */
export function madeAt(object: StripeObject): number | undefined {
  const finalized = fields(object['status_transitions'])['finalized_at'];
  const seconds = [finalized, object['created']].find((time): time is number => Number.isSafeInteger(time) && (time as number) > 0);
  return seconds === undefined || seconds > 10_000_000_000 ? undefined : seconds * 1_000;
}
