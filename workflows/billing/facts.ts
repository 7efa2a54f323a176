/**
 * What events have said of an order. The same events, in any order of arrival, give the same facts: for each thing that speaks of the order, and for
 * each kind of statement, the last statements are kept. Pure.
 */
import type {
  BadWish,
  BillingEvent,
  BillingStatements,
  LifeStatement,
  OrderWishes,
  PlanTemplate,
  StatementSource,
} from '../../contract/billing.ts';
import { byStamp, type Told } from './sequence.ts';
import { defined } from '../../contract/defined.ts';

/** A statement of one kind. One that has no value and is not bad changes nothing (a payment that is late). */
export interface Stated<T> extends Told {
  readonly value?: T;
  readonly bad?: BadWish;
  /** Only of a payment: its prices, if none of them is a guest's. */
  readonly prices?: readonly string[];
}

/** A password comes as its hash, or sealed: both are one wish. */
export type Password = Pick<OrderWishes, 'passwordHash' | 'sealedPassword'>;

/** Kinds of statements. */
export interface Kinds {
  /** Of `active`, `suspended`, `terminated`. */
  readonly life?: readonly Stated<Exclude<LifeStatement, 'paid'>>[];
  readonly paid?: readonly Stated<true>[];
  /** Payments of nothing. */
  readonly free?: readonly Stated<true>[];
  /** Whether the subscription still names the order: said when that changes. */
  readonly order?: readonly Stated<true>[];
  readonly plan?: readonly Stated<PlanTemplate>[];
  readonly namedPlan?: readonly Stated<PlanTemplate>[];
  readonly hostname?: readonly Stated<string>[];
  readonly sshKeys?: readonly Stated<readonly string[]>[];
  readonly customer?: readonly Stated<string>[];
  readonly dist?: readonly Stated<string>[];
  readonly timezone?: readonly Stated<string>[];
  readonly password?: readonly Stated<Password>[];
}

/** One thing that speaks of the order: a subscription; or, together, everything that belongs to no subscription. */
export interface Speaker {
  readonly own: Kinds;
  /** What its copies say. A copy was made at some earlier moment. */
  readonly copies: Kinds;
  readonly ours?: 'price' | 'plan';
  /** Prices that it has had. */
  readonly prices: readonly string[];
}

/** Speakers by name: `NO_SUBSCRIPTION`, `ONCE`, or `sub/` and the id of a subscription. */
export type Facts = Readonly<Record<string, Speaker>>;

export const NO_SUBSCRIPTION = 'order';
export const ONCE = 'once';

/**
 * Stripe's times are whole seconds. If two statements of one second do not refer to each other, these ranks decide: the end of a subscription is the
 * last thing that happens to it, and a customer who paid is not suspended.
 */
const LIFE_RANKS: Readonly<Record<LifeStatement, number>> = { suspended: 1, paid: 2, active: 3, terminated: 4 };

/** For how many different seconds good statements are kept. The earlier ones tell where the changes of the last second begin. */
const SECONDS_KEPT = 4;
/** How many statements of one kind are kept at most. Stripe repeats a bad value with every change, for years. */
const MOST_KEPT = 40;
const MOST_SPEAKERS = 20;
const MOST_PRICES = 20;

/** The facts after an event. An event that is older than what is known changes nothing. */
export function afterEvent(facts: Facts, event: Pick<BillingEvent, 'id' | 'at' | 'says'>): Facts {
  const source: StatementSource = event.says.source ?? { as: 'own', ours: 'plan' };
  const name = nameOf(source);
  const former = facts[name] ?? { own: {}, copies: {}, prices: [] };
  const speaker = afterSpeech(former, event, source);
  if (facts[name] === undefined && Object.keys(facts).length >= MOST_SPEAKERS && speaker.ours === undefined) return facts;
  return { ...facts, [name]: speaker };
}

/** Whether any statement names a guest. Until then all of them may be about another product. */
export function isKnown(facts: Facts): boolean {
  return Object.values(facts).some(({ ours }) => ours !== undefined);
}

function nameOf({ as, subscription }: StatementSource): string {
  if (as === 'once') return ONCE;
  return subscription === undefined ? NO_SUBSCRIPTION : `sub/${subscription}`;
}

function afterSpeech(former: Speaker, { id, at, says }: Pick<BillingEvent, 'id' | 'at' | 'says'>, source: StatementSource): Speaker {
  const { life, rank = 1 } = says;
  const isCopy = source.as === 'copy';
  const stamp = { at: (isCopy ? source.copiedAt : undefined) ?? at, event: id, rank };
  const paid: Stated<true> | undefined =
    life === 'paid'
      ? { at, event: id, rank: LIFE_RANKS.paid, value: true, ...(isCopy && source.prices ? { prices: source.prices } : {}) }
      : undefined;
  const said = withWishes(isCopy ? former.copies : former.own, says, stamp);
  const lifeSaid: Stated<Exclude<LifeStatement, 'paid'>> | undefined =
    life === 'paid' || (life === undefined && says.changes?.life === undefined)
      ? undefined
      : {
          at,
          event: id,
          rank: life === undefined ? 0 : LIFE_RANKS[life],
          ...says.changes?.life,
          ...defined({ value: life }),
        };
  const own = isCopy ? former.own : said;
  const payment = says.isFree === true ? 'free' : 'paid';
  const ours = former.ours === 'price' || source.ours === 'price' ? 'price' : (former.ours ?? source.ours);
  const prices = isCopy ? [] : (source.prices ?? []);
  return {
    own: defined({ ...own, life: withOne(own.life, lifeSaid), [payment]: withOne(own[payment], paid) }),
    copies: isCopy ? said : former.copies,
    ...defined({ ours }),
    prices: [...new Set([...former.prices, ...prices])].sort().slice(0, MOST_PRICES),
  };
}

function withWishes(kinds: Kinds, { plan, namedPlan, wishes = {}, bad = [], changes = {} }: BillingStatements, stamp: Told): Kinds {
  const stated = <T>(field: BadWish['field'], value: T | undefined): Stated<T> | undefined => {
    const wrong = bad.find((each) => each.field === field);
    const change = changes[field];
    if (value === undefined && wrong === undefined && change === undefined) return undefined;
    return { ...stamp, ...change, ...defined({ value, bad: wrong }) };
  };
  const { passwordHash, sealedPassword } = wishes;
  const password: Password = defined({ passwordHash, sealedPassword });
  return defined({
    ...kinds,
    order: withOne(
      kinds.order,
      stated('order', bad.some(({ field }) => field === 'order') || changes.order === undefined ? undefined : true),
    ),
    plan: withOne(kinds.plan, stated('plan', plan)),
    namedPlan: withOne(kinds.namedPlan, stated('namedPlan', namedPlan)),
    hostname: withOne(kinds.hostname, stated('hostname', wishes.hostname)),
    sshKeys: withOne(kinds.sshKeys, stated('sshKeys', wishes.sshKeys)),
    customer: withOne(kinds.customer, stated('customer', wishes.customer)),
    dist: withOne(kinds.dist, stated('dist', wishes.dist)),
    timezone: withOne(kinds.timezone, stated('timezone', wishes.timezone)),
    password: withOne(kinds.password, Object.keys(password).length === 0 ? undefined : { ...stamp, value: password }),
  });
}

/**
 * Adds a statement, and keeps all since the last few seconds that had a good one. The order of arrival does not matter: what is dropped is older than
 * that many seconds with good statements, and always will be.
 */
function withOne<T>(known: readonly Stated<T>[] | undefined, said: Stated<T> | undefined): readonly Stated<T>[] | undefined {
  if (said === undefined || known?.some(({ event }) => event === said.event)) return known;
  const all = [...(known ?? []), said].sort(byStamp);
  const good = [...new Set(all.filter(({ value }) => value !== undefined).map(({ at }) => at))];
  const since = good.at(-SECONDS_KEPT) ?? '';
  const kept = all.filter(({ at }) => at >= since);
  const withoutValue = kept.filter(({ value }) => value === undefined);
  // Of a value that is bad again and again, the first statements (since when) and the last ones (what now) are kept; the middle is dropped.
  const dropped = new Set(withoutValue.slice(MOST_KEPT / 2, Math.max(MOST_KEPT / 2, withoutValue.length - MOST_KEPT / 2)));
  return kept.filter((each) => !dropped.has(each)).slice(-2 * MOST_KEPT);
}
