/** What all statements together ask for. Pure: the same events in any order give the same wish. */
import type { LifeStatement, OrderWishes, PlanTemplate, Wish, WishField, WishProblem } from '../../contract/billing.ts';
import { isKnown, NO_SUBSCRIPTION, ONCE, type Facts, type Kinds, type Speaker, type Stated } from './facts.ts';
import { byStamp, inOrder, type Stamp } from './sequence.ts';
import { defined } from '../../contract/defined.ts';

/** What should be. */
export interface Target {
  readonly wish: Wish;
  readonly plan?: PlanTemplate;
  readonly wishes?: OrderWishes;
  /** The event that decided the wish: ids of operations are made of it. */
  readonly cause: string;
  /** Wishes that cannot be had as they were said last. */
  readonly problems?: readonly WishProblem[];
}

/** What all statements together ask for. */
export function targetOf(facts: Facts): Target {
  const speakers = heard(facts);
  const { wish, cause, standing } = lifeOf(speakers);
  const { plan, wishes, problems } = wishesOf(
    standing.map(([, speaker]) => speaker),
    speakers.map(([, speaker]) => speaker),
  );
  return {
    wish,
    cause,
    ...defined({ plan, wishes }),
    // If the order is over or unpaid, nobody will mend its problems: they are not reported.
    ...(problems.length === 0 || (wish !== 'active' && wish !== 'suspended') ? {} : { problems }),
  };
}

type Named = readonly [name: string, speaker: Speaker];

/**
 * The speakers that are about the guest. A price decides before a name: if one subscription has a guest's price, the others of the order are for something
 * else (an add-on, a domain), unless they have one, too. A payment without a subscription counts only if nothing else does.
 */
function heard(facts: Facts): Named[] {
  const all = Object.entries(facts).sort(([a], [b]) => (a < b ? -1 : 1));
  if (!isKnown(facts)) return [];
  const lasting = all.filter(([name]) => name !== ONCE);
  const subscriptions = lasting.filter(([name]) => name !== NO_SUBSCRIPTION);
  const priced = subscriptions.filter(([, { ours }]) => ours === 'price');
  const named = subscriptions.filter(([, { ours }]) => ours === 'plan');
  const guests = priced.length > 0 ? priced : named.length > 0 ? named : subscriptions;
  const counted = [...lasting.filter(([name]) => name === NO_SUBSCRIPTION), ...guests];
  return counted.length > 0 ? counted : all;
}

interface Life {
  readonly wish: Wish;
  readonly cause: string;
  /** Whose plan and wishes count. */
  readonly standing: readonly Named[];
}

/**
 * The newest statement on the order's life. A payment begins an order and ends an earlier suspension; it does not bring back a terminated guest. The end
 * of one subscription does not end the order while another subscription for its guest goes on.
 */
function lifeOf(speakers: readonly Named[]): Life {
  const known = new Set(speakers.flatMap(([, speaker]) => speaker.prices));
  const payment = (speaker: Speaker | undefined): Stamp | undefined =>
    speaker?.own.paid?.filter(({ prices }) => prices === undefined || prices.some((price) => known.has(price))).at(-1);
  const ofNone = payment(speakers.find(([name]) => name === NO_SUBSCRIPTION)?.[1]);
  const lives = speakers.flatMap((named) => {
    const life = inOrder(named[1].own.life ?? []).findLast(({ value }) => value !== undefined);
    return life?.value === undefined ? [] : [{ named, ...decided(life.value, life, newer(payment(named[1]), ofNone)) }];
  });
  if (lives.length === 0) {
    const paid = speakers.map(([, speaker]) => newer(payment(speaker), speaker.own.free?.at(-1))).reduce(newer, undefined);
    return { wish: paid === undefined ? 'nothing' : 'active', cause: paid?.event ?? '', standing: speakers };
  }
  const goesOn = lives.some(({ named: [name], wish }) => name !== NO_SUBSCRIPTION && wish !== 'terminated');
  const ended = lives.filter(({ named: [name], wish }) => goesOn && name !== NO_SUBSCRIPTION && wish === 'terminated');
  const [last] = lives.filter((life) => !ended.includes(life)).sort((a, b) => byStamp(b.stamp, a.stamp));
  const over = new Set(ended.map(({ named }) => named));
  return {
    wish: last?.wish ?? 'nothing',
    cause: last?.stamp.event ?? '',
    standing: speakers.filter((named) => !over.has(named)),
  };
}

function decided(
  life: Exclude<LifeStatement, 'paid'>,
  stamp: Stamp,
  paid: Stamp | undefined,
): { wish: Exclude<Wish, 'nothing'>; stamp: Stamp } {
  const endsSuspension = life === 'suspended' && paid !== undefined && byStamp(paid, stamp) > 0;
  return endsSuspension ? { wish: 'active', stamp: paid } : { wish: life, stamp };
}

function newer(a: Stamp | undefined, b: Stamp | undefined): Stamp | undefined {
  if (a === undefined || b === undefined) return a ?? b;
  return byStamp(a, b) > 0 ? a : b;
}

/** The present state of a wish: the last good value, and what is wrong with the newest one, if anything. */
interface Standing<T> {
  readonly value?: T;
  readonly problem?: WishProblem;
}

type Of<T> = (kinds: Kinds) => readonly Stated<T>[] | undefined;

/**
 * The present state of one kind of wish. Copies are of an earlier moment: they count only while the subscription itself has made no good statement. If no
 * subscription that goes on has said anything, what a former subscription of the order said counts.
 */
function standing<T>(going: readonly Speaker[], all: readonly Speaker[], of: Of<T>): Standing<T> {
  const { value: said, problem } = amongThem(going, of);
  const value = said ?? amongThem(all, of).value;
  return {
    ...defined({ value }),
    ...(problem === undefined ? {} : { problem: { ...problem, isMissed: value === undefined } }),
  };
}

function amongThem<T>(speakers: readonly Speaker[], of: Of<T>): Standing<T> {
  const lines = (kinds: (speaker: Speaker) => Kinds): Stated<T>[][] =>
    speakers.map((speaker) => inOrder(of(kinds(speaker)) ?? [])).filter((line) => line.length > 0);
  const own = newestOf(lines((speaker) => speaker.own));
  const copy = newestOf(lines((speaker) => speaker.copies));
  const value = own.value ?? copy.value;
  const problem = own.hasSpoken ? own.problem : copy.problem;
  return { ...defined({ value, problem }) };
}

function newestOf<T>(lines: readonly Stated<T>[][]): Standing<T> & { hasSpoken: boolean } {
  const values = lines.map((line) => line.findLast(({ value }) => value !== undefined)).filter((said) => said !== undefined);
  const [good] = values.sort((a, b) => byStamp(b, a));
  // A bad value that was taken out of the metadata is no problem any more.
  const spoken = lines.filter((line) => line.some(({ value, bad }) => value !== undefined || bad !== undefined));
  const [line = []] = spoken.sort((a, b) => compareLast(b, a));
  const { bad, event } = line.at(-1) ?? {};
  const first = line.slice(line.findLastIndex((said) => said.bad === undefined) + 1)[0];
  return {
    hasSpoken: spoken.length > 0,
    ...(good?.value === undefined ? {} : { value: good.value }),
    ...(bad === undefined || event === undefined ? {} : { problem: { ...bad, event, since: first?.at ?? '', isMissed: false } }),
  };
}

function compareLast(a: readonly Stated<unknown>[], b: readonly Stated<unknown>[]): number {
  const [x, y] = [a.at(-1), b.at(-1)];
  return x === undefined || y === undefined ? 0 : byStamp(x, y);
}

function wishesOf(
  going: readonly Speaker[],
  all: readonly Speaker[],
): { plan?: PlanTemplate; wishes?: OrderWishes; problems: WishProblem[] } {
  const priced = standing(going, all, ({ plan }) => plan);
  const named = standing(going, all, ({ namedPlan }) => namedPlan);
  const plan = priced.value ?? named.value;
  const fields = {
    hostname: standing(going, all, ({ hostname }) => hostname),
    sshKeys: standing(going, all, ({ sshKeys }) => sshKeys),
    customer: standing(going, all, ({ customer }) => customer),
    dist: standing(going, all, ({ dist }) => dist),
    timezone: standing(going, all, ({ timezone }) => timezone),
  } satisfies Partial<Record<WishField, Standing<unknown>>>;
  const password = standing(going, all, (kinds) => kinds.password);
  const wishes: OrderWishes = {
    ...Object.fromEntries(Object.entries(fields).flatMap(([field, { value }]) => (value === undefined ? [] : [[field, value]]))),
    ...password.value,
  };
  const order = standing(going, all, (kinds) => kinds.order);
  const problems = [order, priced, ...(priced.value === undefined ? [named] : []), ...Object.values(fields)].flatMap(({ problem }) =>
    problem === undefined ? [] : [{ ...problem, isMissed: problem.isMissed && isNeeded(problem.field, plan) }],
  );
  return { ...defined({ plan }), ...(Object.keys(wishes).length === 0 ? {} : { wishes }), problems };
}

/** Whether a problem with this field matters. The ids of customer and order are only kept; a plan by its price is not needed if a plan is named. */
function isNeeded(field: WishField, plan: PlanTemplate | undefined): boolean {
  return field !== 'customer' && field !== 'order' && !(plan !== undefined && (field === 'plan' || field === 'namedPlan'));
}
