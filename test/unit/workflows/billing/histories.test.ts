/**
 * Any history of a subscription that Stripe can have, with anything at all in its metadata, sent in any order and more than once, comes to
 * what the newest of each kind of statement says; and no event of it is refused. `FAST_CHECK_RUNS` for more histories. Default: 150.
 */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { BillingEvent } from '../../../../contract/billing.ts';
import { loadPlans } from '../../../../order/plans.ts';
import { createCatalogue, type Catalogue } from '../../../../gateway/webhooks/catalogue.ts';
import { readStripe } from '../../../../gateway/webhooks/stripe/signed-events.ts';
import { afterEvent, targetOf, type Facts } from '../../../../workflows/billing/rules.ts';
import { NOW } from '../../gateway/bench.ts';
import { stripeEvent } from '../../gateway/webhooks/stripe-events.ts';

const RUNS = Number(process.env['FAST_CHECK_RUNS'] ?? 150);
const ORDER = 'H-1';
const PRICES = new Map([
  ['price_small', 'small'],
  ['price_medium', 'medium'],
  ['price_large', 'large'],
]);

/** What a subscription is at one moment. */
interface Moment {
  /** Seconds since the first one. */
  readonly second: number;
  readonly status: string;
  readonly price: string;
  readonly plan: string;
  readonly hostname: string;
  readonly junk: Readonly<Record<string, unknown>>;
}

const RESERVED = new Set(['order', 'plan', 'hostname']);
const LIFE: Readonly<Record<string, string>> = {
  active: 'active',
  trialing: 'active',
  unpaid: 'suspended',
  paused: 'suspended',
  canceled: 'terminated',
};

/** What comes of one moment, as Stripe has it. Values that are not good are of this moment alone, so that each change tells where it belongs. */
const step = fc.record({
  wait: fc.constantFrom(0, 0, 0, 1, 60),
  status: fc.constantFrom('active', 'trialing', 'unpaid', 'paused', 'past_due', 'incomplete'),
  price: fc.constantFrom('price_small', 'price_medium', 'price_large', 'an old one'),
  plan: fc.constantFrom('small', 'large', 'no plan', ''),
  hostname: fc.constantFrom('a.example.org', 'b.example.org', 'C.example.org.', 'my shop', ''),
  junk: fc.dictionary(
    fc.oneof(fc.constantFrom('sshKeys', 'dist', 'timezone', 'customer', 'constructor', '__proto__', 'Order'), fc.string()),
    fc.oneof(fc.string(), fc.jsonValue()),
    { maxKeys: 4 },
  ),
});

const extra = fc.record({ kind: fc.constantFrom('invoice', 'session', 'domain'), of: fc.nat(), second: fc.nat(200), isPaid: fc.boolean() });

const history = fc
  .record({
    steps: fc.array(step, { minLength: 1, maxLength: 8 }),
    ends: fc.boolean(),
    extras: fc.array(extra, { maxLength: 4 }),
    ids: fc.infiniteStream(fc.stringMatching(/^[A-Za-z0-9]{6}$/)),
    shuffle: fc.infiniteStream(fc.nat(1_000_000)),
    repeats: fc.nat(5),
  })
  .map(({ steps, ends, extras, ids, shuffle, repeats }) => {
    const moments: Moment[] = [];
    let second = 0;
    const silent = new Set<string>();
    // A value that says nothing comes once a second: twice, nobody could tell what was between.
    const isAgain = (field: string): boolean => silent.size === silent.add(`${field} ${second}`).size;
    for (const [index, { wait, status, price, plan, hostname, junk }] of steps.entries()) {
      second += wait;
      moments.push({
        second,
        status: LIFE[status] === undefined && isAgain('status') ? 'active' : status,
        price: price === 'an old one' ? `price_old_${index}` : price,
        plan: plan === 'no plan' || (plan === '' && isAgain('plan')) ? `no-plan-${index}` : plan,
        hostname: hostname === 'my shop' || (hostname === '' && isAgain('hostname')) ? `my shop ${index}` : hostname,
        junk: Object.fromEntries(Object.entries(junk).filter(([key]) => !RESERVED.has(key))),
      });
    }
    const take = (stream: Iterator<unknown>): unknown => stream.next().value;
    return { moments, ends, extras, id: () => String(take(ids)), random: () => Number(take(shuffle)), repeats };
  });

type History = typeof history extends fc.Arbitrary<infer T> ? T : never;

function metadataOf({ plan, hostname, junk }: Moment): Record<string, unknown> {
  return Object.fromEntries([...Object.entries(junk), ['order', ORDER], ['plan', plan], ['hostname', hostname]]);
}

function subscriptionOf(moment: Moment, status = moment.status): object {
  return {
    id: 'sub_1',
    object: 'subscription',
    status,
    customer: 'cus_1',
    metadata: metadataOf(moment),
    items: { data: [{ id: 'si_1', price: { id: moment.price } }] },
  };
}

/** `previous_attributes`: the former values of what has changed. */
function previousOf(former: Moment, now: Moment): object {
  const [before, after] = [metadataOf(former), metadataOf(now)];
  const keys = [...new Set([...Object.keys(before), ...Object.keys(after)])];
  const changed = keys.filter((key) => JSON.stringify(before[key]) !== JSON.stringify(after[key]));
  return {
    ...(former.status === now.status ? {} : { status: former.status }),
    ...(former.price === now.price ? {} : { items: { data: [{ id: 'si_1', price: { id: former.price } }] } }),
    ...(changed.length === 0 ? {} : { metadata: Object.fromEntries(changed.map((key) => [key, before[key] ?? null])) }),
  };
}

interface Sent {
  readonly event: Record<string, unknown>;
  readonly isKnowable: boolean;
}

/** The events of a history, in the order in which they happened; those that tell by themselves whose they are, are marked. */
function eventsOf({ moments, ends, extras, id }: History, hasPrices: boolean): Sent[] {
  const isOurs = ({ price, plan }: Moment): boolean => plan === 'small' || plan === 'large' || (hasPrices && PRICES.has(price));
  const first = NOW - 100_000;
  let count = 0;
  const make = (type: string, second: number, object: object, isKnowable: boolean, previous?: object): Sent => {
    count += 1;
    const made = stripeEvent({ id: `evt_${id()}_${count}`, type, object, ...(previous === undefined ? {} : { previous }) });
    return { event: { ...made, created: first + second }, isKnowable };
  };
  const changes = moments.map((moment, index) => {
    const former = moments[index - 1];
    const object = subscriptionOf(moment);
    return former === undefined
      ? make('customer.subscription.created', moment.second, object, isOurs(moment))
      : make('customer.subscription.updated', moment.second, object, isOurs(moment), previousOf(former, moment));
  });
  const last = moments.at(-1)!;
  const end = ends ? [make('customer.subscription.deleted', last.second, subscriptionOf(last, 'canceled'), isOurs(last))] : [];
  const others = extras.map(({ kind, of, second, isPaid }) => {
    const moment = moments[of % moments.length]!;
    const metadata = metadataOf(moment);
    if (kind === 'domain')
      return make(
        'checkout.session.completed',
        second,
        { mode: 'payment', payment_status: 'paid', subscription: null, metadata: { order: ORDER } },
        false,
      );
    if (kind === 'session')
      return make(
        'checkout.session.completed',
        second,
        {
          mode: 'subscription',
          payment_status: isPaid ? 'paid' : 'unpaid',
          subscription: 'sub_1',
          metadata,
          created: first + moment.second,
        },
        isOurs({ ...moment, price: '' }),
      );
    const parent = { subscription_details: { subscription: 'sub_1', metadata } };
    const lines = { data: [{ pricing: { price_details: { price: moment.price } } }] };
    return make('invoice.paid', second, { parent, lines, created: first + moment.second }, isOurs(moment));
  });
  return [...changes, ...end, ...others];
}

/** What is right, told by the moments themselves. */
function rightOf(
  { moments, ends, extras }: History,
  hasPrices: boolean,
): { wish: string; plan: string | undefined; hostname: string | undefined } {
  const living = moments.findLast(({ status }) => LIFE[status] !== undefined);
  const paid = extras
    .filter(({ kind, isPaid }) => kind === 'invoice' || (kind === 'session' && isPaid))
    .map(({ second }) => second)
    .sort((a, b) => b - a)[0];
  const life = living === undefined ? undefined : LIFE[living.status];
  const isPaidAgain = paid !== undefined && (living === undefined || (life === 'suspended' && paid >= living.second));
  const priced = moments.findLast(({ price }) => PRICES.has(price))?.price;
  const named = moments.findLast(({ plan }) => plan === 'small' || plan === 'large')?.plan;
  const hostname = moments.findLast((moment) => moment.hostname.endsWith('.org') || moment.hostname.endsWith('.org.'))?.hostname;
  return {
    wish: ends ? 'terminated' : isPaidAgain ? 'active' : (life ?? 'nothing'),
    plan: hasPrices && priced !== undefined ? PRICES.get(priced) : named,
    hostname: hostname?.toLowerCase().replace(/\.$/, ''),
  };
}

/** As they arrive: shuffled, some of them again. What does not tell by itself whose it is comes once the order is known. */
function arrivalOf(sent: readonly Sent[], { random, repeats }: History): Sent[] {
  const shuffled = sent.map((each) => [random(), each] as const).sort(([a], [b]) => a - b);
  const all = shuffled.map(([, each]) => each);
  const first = all.find(({ isKnowable }) => isKnowable);
  const rest = all.filter((each) => each !== first);
  const again = all.slice(0, repeats);
  return [...(first === undefined ? [] : [first]), ...rest, ...again];
}

function play(arrived: readonly Sent[], catalogue: Catalogue): Facts {
  const facts: { now: Facts } = { now: {} };
  for (const { event } of arrived) {
    const read: BillingEvent | string = readStripe(JSON.stringify(event), catalogue, { pastDue: 'run' }, NOW * 1_000);
    if (typeof read !== 'string' && (read.onlyIfKnown !== true || Object.keys(facts.now).length > 0))
      facts.now = afterEvent(facts.now, read);
  }
  return facts.now;
}

describe.each([[true], [false]])('any history of a subscription, with a file of prices: %s,', (hasPrices) => {
  it('comes to what the newest of each kind of statement says, in whatever order its events come', async () => {
    const catalogue = createCatalogue(await loadPlans(), hasPrices ? PRICES : new Map());
    fc.assert(
      fc.property(history, (told) => {
        const sent = eventsOf(told, hasPrices);
        fc.pre(sent.some(({ isKnowable }) => isKnowable));
        // Without a price or a plan of ours in any of its own moments, nothing says that it is a guest's.
        fc.pre(told.moments.some(({ price, plan }) => (hasPrices ? PRICES.has(price) : plan === 'small' || plan === 'large')));
        const { wish, plan, wishes } = targetOf(play(arrivalOf(sent, told), catalogue));
        expect({ wish, plan: plan?.plan, hostname: wishes?.hostname }).toEqual(rightOf(told, hasPrices));
      }),
      { numRuns: RUNS },
    );
  });
});
