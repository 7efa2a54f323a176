/** Stripe's events, as its API of these days and as older ones have them. */
import { NOW } from '../bench.ts';

export interface StripeEventInput {
  readonly id?: string;
  readonly type: string;
  readonly object: object;
  /** Seconds from now. */
  readonly after?: number;
  readonly version?: string;
  /** `previous_attributes` of a change. */
  readonly previous?: object;
}

let counter = 0;

export function stripeEvent({
  id,
  type,
  object,
  after = 0,
  version = '2026-10-28.endive',
  previous,
}: StripeEventInput): Record<string, unknown> {
  counter += 1;
  return {
    id: id ?? `evt_${counter}`,
    object: 'event',
    api_version: version,
    created: NOW + after,
    livemode: true,
    pending_webhooks: 1,
    request: { id: null, idempotency_key: null },
    type,
    data: { object, ...(previous === undefined ? {} : { previous_attributes: previous }) },
  };
}

export function metadata(order = 'S-1', changes: object = {}): object {
  return { order, hostname: `${order.toLowerCase()}.example.org`, plan: 'small', ...changes };
}

export function session(changes: object = {}): object {
  return {
    id: 'cs_1',
    object: 'checkout.session',
    mode: 'subscription',
    status: 'complete',
    payment_status: 'paid',
    customer: 'cus_1',
    subscription: 'sub_1',
    metadata: metadata(),
    ...changes,
  };
}

export function subscription(status: string, changes: object = {}): object {
  return {
    id: 'sub_1',
    object: 'subscription',
    status,
    customer: 'cus_1',
    metadata: metadata(),
    items: {
      object: 'list',
      data: [
        {
          id: 'si_1',
          object: 'subscription_item',
          current_period_end: NOW + 2_592_000,
          price: { id: 'price_small', object: 'price' },
          plan: { id: 'price_small', object: 'plan' },
        },
      ],
    },
    ...changes,
  };
}

/** As before 2025-03-31, and before prices: one plan at the top. */
export function oldSubscription(status: string, changes: object = {}): object {
  return {
    id: 'sub_1',
    object: 'subscription',
    status,
    customer: 'cus_1',
    metadata: metadata(),
    current_period_end: NOW + 2_592_000,
    plan: { id: 'price_small', object: 'plan' },
    quantity: 1,
    ...changes,
  };
}

/** Since 2025-03-31. */
export function invoice(changes: object = {}): object {
  return {
    id: 'in_1',
    object: 'invoice',
    status: 'paid',
    customer: 'cus_1',
    metadata: {},
    parent: { type: 'subscription_details', subscription_details: { subscription: 'sub_1', metadata: metadata() } },
    lines: {
      object: 'list',
      data: [
        { id: 'il_1', object: 'line_item', pricing: { type: 'price_details', price_details: { price: 'price_small', product: 'prod_1' } } },
      ],
    },
    ...changes,
  };
}

/** Before it. */
export function oldInvoice(changes: object = {}): object {
  return {
    id: 'in_1',
    object: 'invoice',
    status: 'paid',
    paid: true,
    customer: 'cus_1',
    subscription: 'sub_1',
    metadata: {},
    subscription_details: { metadata: metadata() },
    lines: {
      object: 'list',
      data: [{ id: 'il_1', object: 'line_item', price: { id: 'price_small', object: 'price' }, plan: { id: 'price_small' } }],
    },
    ...changes,
  };
}
