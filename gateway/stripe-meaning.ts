/** What Stripe's events mean for an order. */
import type { z } from 'zod';
import type { BillingStatements, LifeStatement, OrderWishes, PlanTemplate } from '../contract/billing-types.ts';
import type { Catalogue } from './catalogue.ts';
import { check, invalid } from './check.ts';
import {
  invoiceSchema,
  metadataOfInvoice,
  metadataSchema,
  pricesOfInvoice,
  pricesOfSubscription,
  sessionSchema,
  subscriptionSchema,
  type stripeEventSchema,
  type StripeMetadata,
} from './stripe-shape.ts';

/** What the provider decides. */
export interface StripePolicy {
  /** A customer whose payment is late: the guest runs on until Stripe calls the subscription `unpaid`, or is suspended at once. */
  readonly pastDue: 'run' | 'suspend';
}

export interface StripeMeaning {
  readonly order: string;
  readonly says: BillingStatements;
}

type StripeObject = z.output<typeof stripeEventSchema>['data']['object'];
type Reader = (object: StripeObject, catalogue: Catalogue, policy: StripePolicy) => StripeMeaning | string;

const OBJECT = 'data.object';
const NOT_A_GUEST = 'its prices are not those of guests';
const NOT_OURS = 'it has no order in its metadata';
const NOTHING = 'it changes nothing';

/** A map: a type called `constructor` must find nothing. */
const READERS: ReadonlyMap<string, Reader> = new Map<string, Reader>(
  Object.entries({
    'checkout.session.completed': readSession,
    'checkout.session.async_payment_succeeded': readSession,
    'checkout.session.async_payment_failed': () => NOTHING,
    'checkout.session.expired': () => NOTHING,
    'invoice.paid': readInvoice,
    'customer.subscription.created': readSubscription,
    'customer.subscription.updated': readSubscription,
    'customer.subscription.paused': readSubscription,
    'customer.subscription.resumed': readSubscription,
    'customer.subscription.deleted': (object, catalogue, policy) => readSubscription({ ...object, status: 'canceled' }, catalogue, policy),
  } satisfies Record<string, Reader>),
);

/** What an event means; or, for one that is not for guestflow, why it is ignored. */
export function meaningOf(type: string, object: StripeObject, catalogue: Catalogue, policy: StripePolicy): StripeMeaning | string {
  return READERS.get(type)?.(object, catalogue, policy) ?? 'events of this type mean nothing here';
}

function readSession(object: StripeObject, catalogue: Catalogue): StripeMeaning | string {
  const session = check(sessionSchema, object, OBJECT);
  if (session.mode === 'setup') return NOTHING;
  const metadata = ours(session.metadata);
  if (metadata === undefined) return NOT_OURS;
  const isPaid = session.payment_status === 'paid' || session.payment_status === 'no_payment_required';
  return {
    order: metadata.order,
    says: { ...(isPaid ? { life: 'paid' as const } : {}), ...wishesOf(metadata, session.customer), ...namedPlan(metadata, catalogue) },
  };
}

function readInvoice(object: StripeObject, catalogue: Catalogue): StripeMeaning | string {
  const invoice = check(invoiceSchema, object, OBJECT);
  const metadata = ours(metadataOfInvoice(invoice));
  if (metadata === undefined) return NOT_OURS;
  const prices = pricesOfInvoice(invoice);
  const plans = plansOf(prices, catalogue);
  // Stripe sends the first ten lines: the guest's may be among those that it left out.
  const isWhole = invoice.lines?.has_more !== true;
  if (catalogue.hasPrices && isWhole && prices.length > 0 && plans.length === 0) return NOT_A_GUEST;
  // An invoice of a change of plan has lines of both: the subscription says which one it is now.
  const [only, another] = plans;
  const named = only !== undefined && another === undefined ? { namedPlan: only } : namedPlan(metadata, catalogue);
  return { order: metadata.order, says: { life: 'paid', ...wishesOf(metadata, invoice.customer), ...named } };
}

function readSubscription(object: StripeObject, catalogue: Catalogue, policy: StripePolicy): StripeMeaning | string {
  const subscription = check(subscriptionSchema, object, OBJECT);
  const metadata = ours(subscription.metadata);
  if (metadata === undefined) return NOT_OURS;
  const life = lifeOf(subscription.status, policy);
  const says = { ...(life === undefined ? {} : { life }), ...wishesOf(metadata, subscription.customer) };
  if (!catalogue.hasPrices) return { order: metadata.order, says: { ...says, ...namedPlan(metadata, catalogue) } };
  const [plan, another] = plansOf(pricesOfSubscription(subscription), catalogue);
  // Of many items Stripe sends the first ones; the order in its metadata says that one of the others is a guest.
  if (plan === undefined && subscription.items?.has_more === true)
    return { order: metadata.order, says: { ...says, ...namedPlan(metadata, catalogue) } };
  if (plan === undefined) return NOT_A_GUEST;
  if (another !== undefined)
    throw invalid([
      {
        field: `${OBJECT}.items`,
        reason: `has prices of several plans, ${plan.plan} and ${another.plan}: a subscription is for one guest`,
      },
    ]);
  return { order: metadata.order, says: { ...says, plan } };
}

function lifeOf(status: string, { pastDue }: StripePolicy): LifeStatement | undefined {
  switch (status) {
    case 'active':
    case 'trialing':
      return 'active';
    case 'past_due':
      return pastDue === 'suspend' ? 'suspended' : undefined;
    case 'unpaid':
    case 'paused':
      return 'suspended';
    case 'canceled':
      return 'terminated';
    // incomplete, incomplete_expired: nobody has paid yet; or what Stripe will think of next.
    default:
      return undefined;
  }
}

/** The checked metadata of an object that has an order. */
function ours(metadata: Readonly<Record<string, string>> | null | undefined): StripeMetadata | undefined {
  // An empty text in metadata is what a checkout writes for a field that was left empty: of one that sells something else, too.
  if ((metadata?.['order'] ?? '') === '') return undefined;
  return check(
    metadataSchema,
    Object.fromEntries(Object.entries(metadata ?? {}).filter(([, value]) => value !== '')),
    `${OBJECT}.metadata`,
  );
}

function plansOf(prices: readonly string[], catalogue: Catalogue): PlanTemplate[] {
  const plans = prices.map((price) => catalogue.price(price)).filter((plan) => plan !== undefined);
  return plans.filter((plan, index) => plans.indexOf(plan) === index);
}

function namedPlan({ plan }: StripeMetadata, catalogue: Catalogue): { namedPlan?: PlanTemplate } {
  if (plan === undefined) return {};
  const found = catalogue.plan(plan);
  if (found === undefined)
    throw invalid([{ field: `${OBJECT}.metadata.plan`, reason: `is no plan: there are ${[...catalogue.plans.keys()].join(', ')}` }]);
  return { namedPlan: found };
}

function wishesOf(
  { hostname, sshKeys, dist, timezone, customer: named }: StripeMetadata,
  stripeCustomer: string | null | undefined,
): { wishes?: OrderWishes } {
  if (hostname === undefined) return {};
  const customer = named ?? stripeCustomer ?? undefined;
  return {
    wishes: {
      hostname,
      sshKeys: sshKeys ?? [],
      ...(customer === undefined ? {} : { customer }),
      ...(dist === undefined ? {} : { dist }),
      ...(timezone === undefined ? {} : { timezone }),
    },
  };
}
