/**
 * What Stripe's events mean for an order. Whose an event is, is decided first, by its order's id and by its prices; what it says of the
 * order's life needs nothing else; wishes are looked at last, and refuse nothing.
 */
import type { BillingStatements, LifeStatement, StatementSource } from '../../../contract/billing.ts';
import { countedId, ORDER_ID_PATTERN } from '../../../contract/guest-name.ts';
import type { Catalogue } from '../catalogue.ts';
import { planByPrice, plansOf } from './plan-by-price.ts';
import {
  fields,
  idOf,
  isOfNothing,
  madeAt,
  metadataOf,
  originOfInvoice,
  pricesOfInvoice,
  pricesOfSubscription,
  type StripeObject,
} from './shape.ts';
import { changeOf, NOTHING_BEFORE, planNamedIn, saidOfOrder, together, wishesIn, type Before, type Said } from './wishes.ts';
import { defined } from '../../../contract/defined.ts';

/** What the provider decides. */
export interface StripePolicy {
  /** A customer whose payment is late: the guest runs on until Stripe calls the subscription `unpaid`, or is suspended at once. */
  readonly pastDue: 'run' | 'suspend';
}

export interface StripeMeaning {
  readonly order: string;
  readonly says: BillingStatements;
  /** Nothing about it but the order's id may be ours. */
  readonly onlyIfKnown?: true;
}

/** An event's object, and what the event says of it. */
export interface StripeNews {
  readonly type: string;
  readonly object: StripeObject;
  readonly previous: unknown;
}

type Reader = (news: StripeNews, catalogue: Catalogue, policy: StripePolicy) => StripeMeaning | string;

const NOTHING = 'it changes nothing';
const NO_ORDER = 'it has no order in its metadata';
const NO_ORDER_ID = 'what its metadata have for an order is no id of one';
/** Its sender has forgotten it; nobody can say whose guest it is. */
const OF_A_GUEST = ', and its price is that of a guest: write the order into metadata.order of the subscription';
const SOMETHING_ELSE = 'it is a payment of something else';

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
    'customer.subscription.deleted': readSubscription,
  } satisfies Record<string, Reader>),
);

/** What an event means; or, for one that is not for guestflow, why it is ignored. */
export function meaningOf(news: StripeNews, catalogue: Catalogue, policy: StripePolicy): StripeMeaning | string {
  return READERS.get(news.type)?.(news, catalogue, policy) ?? 'events of this type mean nothing here';
}

/** The order's id in metadata: as it stands, less blanks around it. A whole number is one, too. */
function orderOf({ order }: StripeObject): { id: string } | string {
  if (order === undefined) return NO_ORDER;
  const id = countedId(order);
  const text = typeof id === 'string' ? id.trim() : '';
  return ORDER_ID_PATTERN.test(text) ? { id: text } : NO_ORDER_ID;
}

function readSession({ object }: StripeNews, catalogue: Catalogue): StripeMeaning | string {
  if (object['mode'] === 'setup') return NOTHING;
  const metadata = metadataOf(object['metadata']);
  const order = orderOf(metadata);
  if (typeof order === 'string') return order;
  const subscription = idOf(object['subscription']);
  const named = planNamedIn(metadata, catalogue, NOTHING_BEFORE);
  if (subscription === undefined && named.namedPlan === undefined) return SOMETHING_ELSE;
  const isOnce = object['mode'] !== 'subscription' && subscription === undefined;
  const isPaid = object['payment_status'] === 'paid' || object['payment_status'] === 'no_payment_required';
  const said = together(wishesIn(metadata, NOTHING_BEFORE, idOf(object['customer'])), named);
  const source: StatementSource = {
    as: isOnce ? 'once' : 'copy',
    ...defined({ subscription }),
    ...(named.namedPlan === undefined ? {} : { ours: 'plan' }),
    ...copiedAt(object),
  };
  const isFree = object['payment_status'] === 'no_payment_required';
  return meaning(order.id, { ...(isPaid ? paid(isFree) : {}), ...copied(said), source }, source.ours !== undefined);
}

/** A payment of nothing begins an order that costs nothing; it pays for nothing that was owed. */
function paid(isFree: boolean): Pick<BillingStatements, 'life' | 'isFree'> {
  return { life: 'paid', ...(isFree ? { isFree } : {}) };
}

function readInvoice({ object }: StripeNews, catalogue: Catalogue): StripeMeaning | string {
  const { metadata, subscription, isOfSubscription } = originOfInvoice(object);
  const order = orderOf(metadata);
  if (typeof order === 'string') return order;
  const prices = pricesOfInvoice(object);
  const plans = plansOf(prices, catalogue);
  const named = planNamedIn(metadata, catalogue, NOTHING_BEFORE);
  const isStrange = catalogue.hasPrices && prices.isWhole && prices.ids.length > 0 && plans.length === 0;
  // For what was put on a subscription's invoice beside it (a set-up fee), or written by hand: a domain.
  const isBeside = plans.length === 0 && isOfSubscription && prices.isOneOff;
  const isUnknown = plans.length === 0 && !isOfSubscription && (isStrange || named.namedPlan === undefined);
  if (isBeside || isUnknown) return SOMETHING_ELSE;
  const ours = plans.length > 0 ? 'price' : named.namedPlan !== undefined && !isStrange ? 'plan' : undefined;
  // An invoice of a change of plan has lines of both: the subscription says which one it is now.
  const [only, another] = plans;
  const plan = only !== undefined && another === undefined ? { namedPlan: only } : named;
  const source: StatementSource = {
    as: isOfSubscription || (plans.length > 0 && !prices.isOneOff) ? 'copy' : 'once',
    ...defined({ subscription, ours }),
    ...(isStrange && subscription === undefined ? { prices: prices.ids } : {}),
    ...copiedAt(object),
  };
  const said = copied(together(wishesIn(metadata, NOTHING_BEFORE, idOf(object['customer'])), plan));
  return meaning(order.id, { ...paid(isOfNothing(object)), ...said, source }, ours !== undefined || named.namedPlan !== undefined);
}

function readSubscription(news: StripeNews, catalogue: Catalogue, policy: StripePolicy): StripeMeaning | string {
  const { type, object } = news;
  const metadata = metadataOf(object['metadata']);
  const before = beforeOf(news);
  const order = orderOfSubscription(metadata, before);
  if (typeof order === 'string') return plansOf(pricesOfSubscription(object), catalogue).length > 0 ? `${order}${OF_A_GUEST}` : order;
  const isEnd = type === 'customer.subscription.deleted';
  const prices = pricesOfSubscription(object);
  const plans = plansOf(prices, catalogue);
  const named = planNamedIn(metadata, catalogue, before);
  // Of many items Stripe sends the first ones; the order in its metadata says that one of the others is a guest.
  const isByName = !catalogue.hasPrices || (!prices.isWhole && plans.length === 0);
  const ours = plans.length > 0 ? 'price' : isByName && named.namedPlan !== undefined ? 'plan' : undefined;
  const status = isEnd ? 'canceled' : object['status'];
  const life = lifeOf(status, policy);
  const plan = isByName ? named : planByPrice(object, catalogue, before);
  const said = together(order.said, together(wishesIn(metadata, before, idOf(object['customer'])), plan));
  const subscription = idOf(object);
  const source: StatementSource = {
    as: 'own',
    ...defined({ subscription, ours }),
    ...(catalogue.hasPrices && prices.ids.length > 0 ? { prices: prices.ids } : {}),
  };
  const changes = { ...said.changes, life: changeOf(status, before, () => before.attributes?.['status'] ?? status) };
  const rank = isEnd ? 2 : before.isNew ? 0 : 1;
  return meaning(order.id, { ...defined({ life }), ...said, changes, rank, source }, ours !== undefined || named.namedPlan !== undefined);
}

/** Whose a subscription is. If its order was just taken out of the metadata, what was before still says it: nothing will say it of later events. */
function orderOfSubscription(metadata: StripeObject, before: Before): { id: string; said: Said } | string {
  const now = orderOf(metadata);
  const former = orderOf(metadataOf(before.attributes?.['metadata']));
  const id = typeof now === 'string' ? former : now;
  if (typeof id === 'string') return typeof now === 'string' ? now : id;
  return { ...id, said: saidOfOrder(metadata, before, typeof now === 'string' ? id.id : undefined) };
}

/** An event by which no order is known as one of ours is taken only where there is one. */
function meaning(order: string, says: BillingStatements, mayBegin: boolean): StripeMeaning {
  return { order, says, ...(mayBegin ? {} : { onlyIfKnown: true as const }) };
}

/** Copies say nothing of what was before them. */
function copied({ changes: _none, ...said }: Said): Said {
  return said;
}

function copiedAt(object: StripeObject): { copiedAt?: string } {
  const made = madeAt(object);
  return made === undefined ? {} : { copiedAt: new Date(made).toISOString() };
}

function beforeOf({ type, previous }: StripeNews): Before {
  if (type === 'customer.subscription.created') return { attributes: undefined, isNew: true };
  // Others than changes do not say what was before them, whatever they have.
  const isSaid = type === 'customer.subscription.updated' && typeof previous === 'object' && previous !== null;
  return { attributes: isSaid ? fields(previous) : undefined, isNew: false };
}

function lifeOf(status: unknown, { pastDue }: StripePolicy): LifeStatement | undefined {
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
