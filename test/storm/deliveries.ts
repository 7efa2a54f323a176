/** What the storm sends: the life of each order in events, each several times, and hostile ones among them. */
import Stripe from 'stripe';
import { Webhook } from 'standardwebhooks';
import { SIGNUP_SECRET, STRIPE_SECRET } from '../unit/gateway/bench.ts';
import { metadata, session, stripeEvent, subscription } from '../unit/gateway/webhooks/stripe-events.ts';
import type { Random } from './random.ts';

/** What a delivery is: genuine, or which kind of hostile. */
export type Kind = 'genuine' | 'unsigned' | 'altered' | 'stale' | 'conflict';

export interface Delivery {
  readonly kind: Kind;
  /** Tells deliveries of one event apart from those of others. */
  readonly event: string;
  readonly order: string;
  readonly path: string;
  readonly body: string;
  /** Signed anew for each attempt, as senders do. */
  readonly sign: () => Record<string, string>;
}

/** What a kind may be answered; anything else is tried again. */
export const EXPECTED: Readonly<Record<Kind, number>> = { genuine: 200, unsigned: 401, altered: 401, stale: 400, conflict: 409 };

interface Event {
  readonly order: string;
  readonly path: string;
  readonly id: string;
  readonly body: string;
  /** The same id, another body: somebody wants the large plan, or another's order, or the guest gone. */
  readonly evil: string;
}

const BEGIN = Math.floor(Date.now() / 1_000) - 3_600;

/** Plan with which an order ends. */
export function planOf(index: number): string {
  return index % 4 === 0 ? 'medium' : 'small';
}

function signupEvents(order: string, index: number): Event[] {
  const event = (type: string, second: number, data: object): Event => {
    const body = { type, timestamp: new Date((BEGIN + second) * 1_000 + index).toISOString(), data: { order, ...data } };
    const evil = { ...body, type: 'order.terminated', timestamp: new Date((BEGIN + 3_000) * 1_000).toISOString() };
    return { order, path: '/webhooks/signup', id: `msg_${order}_${second}`, body: JSON.stringify(body), evil: JSON.stringify(evil) };
  };
  return [
    event('order.paid', 0, { hostname: `${order.toLowerCase()}.example.org`, plan: 'small', customer: { id: `C-${index % 50}` } }),
    event('order.suspended', 100, {}),
    event('order.unsuspended', 200, {}),
    ...(planOf(index) === 'medium' ? [event('order.upgraded', 300, { plan: 'medium' })] : []),
  ];
}

function stripeEvents(order: string, index: number): Event[] {
  const own = { metadata: metadata(order, { plan: 'small' }) };
  const priced = (price: string): object => ({ ...own, items: { data: [{ price: { id: price } }] } });
  const event = (type: string, second: number, object: object): Event => {
    const body = { ...stripeEvent({ id: `evt_${order}_${second}_${type}`, type, object }), created: BEGIN + second };
    const evil = {
      ...body,
      type: 'customer.subscription.deleted',
      created: BEGIN + 3_000,
      data: { object: subscription('canceled', priced('price_small')) },
    };
    return {
      order,
      path: '/webhooks/stripe',
      id: body['id' as keyof typeof body] as unknown as string,
      body: JSON.stringify(body),
      evil: JSON.stringify(evil),
    };
  };
  return [
    event('checkout.session.completed', 0, session({ payment_status: 'unpaid', ...own })),
    event('customer.subscription.created', 0, subscription('incomplete', priced('price_small'))),
    event('customer.subscription.updated', 60, subscription('active', priced('price_small'))),
    event('customer.subscription.updated', 100, subscription('unpaid', priced('price_small'))),
    event(
      'customer.subscription.updated',
      200,
      subscription('active', priced(planOf(index) === 'medium' ? 'price_medium' : 'price_small')),
    ),
  ];
}

/** Headers of a signature over this body. */
function signature(
  { path, id }: Pick<Event, 'path' | 'id'>,
  body: string,
  secret: { signup: string; stripe: string },
  shift = 0,
): Record<string, string> {
  const at = Math.floor(Date.now() / 1_000) + shift;
  const common = { 'content-type': 'application/json' };
  if (path === '/webhooks/stripe')
    return {
      ...common,
      'stripe-signature': Stripe.webhooks.generateTestHeaderString({ payload: body, secret: secret.stripe, timestamp: at }),
    };
  return {
    ...common,
    'webhook-id': id,
    'webhook-timestamp': String(at),
    'webhook-signature': new Webhook(secret.signup).sign(id, new Date(at * 1_000), body),
  };
}

const OURS = { signup: SIGNUP_SECRET, stripe: STRIPE_SECRET };
const GUESSED = { signup: `whsec_${Buffer.from('a secret that is guessed').toString('base64')}`, stripe: 'whsec_a_secret_that_is_guessed' };

function delivery(event: Event, kind: Kind): Delivery {
  const { order, path, id, body, evil } = event;
  const common = { kind, event: `${path}/${id}`, order, path };
  switch (kind) {
    case 'genuine':
      return { ...common, body, sign: () => signature(event, body, OURS) };
    case 'unsigned':
      return { ...common, body: evil, sign: () => signature(event, evil, GUESSED) };
    case 'altered':
      return { ...common, body: evil, sign: () => signature(event, body, OURS) };
    case 'stale':
      return { ...common, body: evil, sign: () => signature(event, evil, OURS, -400) };
    case 'conflict':
      return { ...common, body: evil, sign: () => signature(event, evil, OURS) };
  }
}

/** Ids of the orders of a storm: half come by Stripe, half by signup. */
export function ordersOf(count: number): string[] {
  return Array.from({ length: count }, (_, index) => `${index % 2 === 0 ? 'SU' : 'ST'}-${index}`);
}

/** About so many deliveries for these orders, shuffled; each event one to five times. */
export function deliveriesOf(orders: readonly string[], total: number, random: Random): Delivery[] {
  const events = orders.flatMap((order, index) => (index % 2 === 0 ? signupEvents(order, index) : stripeEvents(order, index)));
  const genuine = events.flatMap((event) => Array.from({ length: 1 + random.below(5) }, () => delivery(event, 'genuine')));
  const hostile: Delivery[] = [];
  const kinds: readonly Kind[] = ['unsigned', 'altered', 'stale', 'conflict'];
  while (genuine.length + hostile.length < total)
    hostile.push(delivery(events[random.below(events.length)]!, kinds[random.below(kinds.length)]!));
  return random.shuffle([...genuine, ...hostile]);
}
