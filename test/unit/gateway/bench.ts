/** A gateway over a Temporal that is none, and senders that sign. */
import Stripe from 'stripe';
import { Webhook } from 'standardwebhooks';
import type { BillingEvent, EventAnswer } from '../../../contract/billing.ts';
import { guestNameOfOrder } from '../../../order/billing-events.ts';
import { GuestflowError } from '../../../contract/errors.ts';
import { loadPlans } from '../../../order/plans.ts';
import type { EventSink } from '../../../gateway/webhooks/event-sink.ts';
import { createCatalogue } from '../../../gateway/webhooks/catalogue.ts';
import { afterEvent, isKnown, type Facts } from '../../../workflows/billing/rules.ts';
import { createGateway, type Gateway, type GatewayOptions } from '../../../gateway/gateway.ts';

export const SIGNUP_SECRET = `whsec_${Buffer.from('a secret of the signup sender').toString('base64')}`;
export const STRIPE_SECRET = 'whsec_stripe_0123456789abcdef';
/** Seconds since 1970. */
const seconds = (): number => Math.floor(Date.now() / 1_000);

/** When the tests began. What is signed is signed now: other files of tests may have run since. */
export const NOW = seconds();

/** Keeps what the workflow would keep. */
export interface FakeSink extends EventSink {
  readonly events: BillingEvent[];
  isDown: boolean;
}

export function fakeSink(): FakeSink {
  const sink: FakeSink = {
    events: [],
    isDown: false,
    deliver(event): Promise<EventAnswer> {
      if (sink.isDown) return Promise.reject(new GuestflowError('Unreachable', 'Temporal does not answer at 127.0.0.1:7233'));
      const answer = { event: event.id, order: event.order, guest: guestNameOfOrder(event.order) };
      const ofOrder = sink.events.filter(({ order }) => order === event.order);
      if (event.onlyIfKnown === true && ofOrder.length === 0) return Promise.resolve({ ...answer, verdict: 'unknown' });
      const former = sink.events.find(({ id }) => id === event.id);
      if (former === undefined) sink.events.push(event);
      const known = isKnown([...ofOrder, event].reduce<Facts>(afterEvent, {})) ? 'taken' : 'unknown';
      const verdict = former === undefined || former.digest === event.digest ? known : 'conflict';
      return Promise.resolve({ ...answer, verdict });
    },
  };
  return sink;
}

export interface Bench {
  readonly gateway: Gateway;
  readonly sink: FakeSink;
  readonly lines: object[];
}

export async function bench(
  changes: Partial<GatewayOptions> = {},
  prices: Record<string, string> = { price_small: 'small', price_large: 'large' },
): Promise<Bench> {
  const sink = fakeSink();
  const lines: object[] = [];
  const write = (fields: object, message: string): void => {
    lines.push({ ...fields, message });
  };
  const gateway = createGateway({
    events: sink,
    catalogue: createCatalogue(await loadPlans(), new Map(Object.entries(prices))),
    stripeSecrets: [STRIPE_SECRET],
    signupSecrets: [SIGNUP_SECRET],
    log: { info: write, warn: write, error: write },
    ...changes,
  });
  return { gateway, sink, lines };
}

/** A body of `POST /webhooks/signup`. */
export function paid(order = 'A-1', changes: object = {}): object {
  return {
    type: 'order.paid',
    timestamp: new Date(NOW * 1_000).toISOString(),
    data: {
      order,
      hostname: `${order.toLowerCase()}.example.org`,
      plan: 'small',
      customer: { id: 'C-7', email: 'someone@example.org' },
      ...changes,
    },
  };
}

export interface Signing {
  readonly id?: string;
  readonly secret?: string;
  /** Seconds from now. */
  readonly shift?: number;
  readonly headers?: Record<string, string>;
}

export function signup(body: unknown, { id = 'msg_1', secret = SIGNUP_SECRET, shift = 0, headers = {} }: Signing = {}): Request {
  const text = typeof body === 'string' ? body : JSON.stringify(body);
  const at = new Date((seconds() + shift) * 1_000);
  return new Request('http://gateway/webhooks/signup', {
    method: 'POST',
    body: text,
    headers: {
      'content-type': 'application/json',
      'webhook-id': id,
      'webhook-timestamp': String(seconds() + shift),
      'webhook-signature': new Webhook(secret).sign(id, at, text),
      ...headers,
    },
  });
}

export function stripe(event: unknown, { secret = STRIPE_SECRET, shift = 0, headers = {} }: Omit<Signing, 'id'> = {}): Request {
  const payload = typeof event === 'string' ? event : JSON.stringify(event);
  const signature = Stripe.webhooks.generateTestHeaderString({ payload, secret, timestamp: seconds() + shift });
  return new Request('http://gateway/webhooks/stripe', {
    method: 'POST',
    body: payload,
    headers: { 'content-type': 'application/json; charset=utf-8', 'stripe-signature': signature, ...headers },
  });
}

export interface ProblemDocument {
  readonly type: string;
  readonly status: number;
  readonly detail: string;
  readonly field?: string;
  readonly reason?: string;
}

export async function problemOf(response: Response): Promise<ProblemDocument> {
  if (response.headers.get('content-type') !== 'application/problem+json')
    throw new Error(`no problem document: ${response.status} ${await response.text()}`);
  return (await response.json()) as ProblemDocument;
}
