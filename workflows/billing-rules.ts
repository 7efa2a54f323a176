/** What billing's statements come to, and what is to be done on the guest about it. Pure: the same events in any order give the same wish. */
import type {
  BillingEvent,
  BillingOperation,
  GuestView,
  LifeStatement,
  OrderWishes,
  PlanTemplate,
  Wish,
} from '../contract/billing-types.ts';

/** A statement with what decides which of two is newer. */
export interface Stated<T> {
  readonly value: T;
  readonly at: string;
  readonly rank: number;
  /** Event that said it. */
  readonly event: string;
}

/** The newest statement of each kind. */
export interface Facts {
  /** Of `active`, `suspended`, `terminated`. */
  readonly life?: Stated<Exclude<LifeStatement, 'paid'>>;
  readonly paid?: Stated<true>;
  readonly plan?: Stated<PlanTemplate>;
  readonly namedPlan?: Stated<PlanTemplate>;
  readonly wishes?: Stated<OrderWishes>;
}

/**
 * Stripe's times are whole seconds: of two statements of one second, the end of a subscription is the last thing that happens to it, and
 * a customer who paid is not suspended.
 */
const RANKS: Readonly<Record<LifeStatement, number>> = { suspended: 1, paid: 2, active: 3, terminated: 4 };

/** Whether `a` wins over `b`: by the events' own times, then by rank, then by id, so that there is never a draw. */
function isNewer(a: Omit<Stated<unknown>, 'value'>, b: Omit<Stated<unknown>, 'value'>): boolean {
  if (a.at !== b.at) return a.at > b.at;
  if (a.rank !== b.rank) return a.rank > b.rank;
  return a.event > b.event;
}

function newest<T>(known: Stated<T> | undefined, value: T | undefined, stamp: Omit<Stated<T>, 'value'>): Stated<T> | undefined {
  if (value === undefined) return known;
  return known === undefined || isNewer(stamp, known) ? { value, ...stamp } : known;
}

/** The facts after an event. An event that is older than what is known changes nothing. */
export function afterEvent(facts: Facts, { id, at, says }: Pick<BillingEvent, 'id' | 'at' | 'says'>): Facts {
  const { life } = says;
  const stamp = { at, event: id, rank: 0 };
  const lifeStamp = { ...stamp, rank: life === undefined ? 0 : RANKS[life] };
  const next = {
    life: newest(facts.life, life === 'paid' ? undefined : life, lifeStamp),
    paid: newest(facts.paid, life === 'paid' ? true : undefined, lifeStamp),
    plan: newest(facts.plan, says.plan, stamp),
    namedPlan: newest(facts.namedPlan, says.namedPlan, stamp),
    wishes: newest(facts.wishes, says.wishes, stamp),
  };
  return Object.fromEntries(Object.entries(next).filter(([, stated]) => stated !== undefined));
}

/** What should be. */
export interface Target {
  readonly wish: Wish;
  readonly plan?: PlanTemplate;
  readonly wishes?: OrderWishes;
  /** The event that decided the wish: ids of operations are made of it. */
  readonly cause: string;
}

/** What all statements together ask for. */
export function targetOf(facts: Facts): Target {
  const { life, paid } = facts;
  const plan = facts.plan ?? facts.namedPlan;
  const decided =
    paid !== undefined && paidCounts(life, paid)
      ? { wish: 'active' as const, cause: paid.event }
      : { wish: life?.value ?? ('nothing' as const), cause: life?.event ?? '' };
  return {
    ...decided,
    ...(plan === undefined ? {} : { plan: plan.value }),
    ...(facts.wishes === undefined ? {} : { wishes: facts.wishes.value }),
  };
}

/** A payment makes an order and ends a suspension before it. It does not bring back what was terminated. */
function paidCounts(life: Facts['life'], paid: Stated<true>): boolean {
  if (life === undefined) return true;
  return life.value === 'suspended' && isNewer(paid, life);
}

/** What was last carried out. A wish that is carried out is not enforced again: the operator has the last word on a guest. */
export interface Done {
  readonly wish: Wish;
  readonly plan?: string;
}

const BRINGS: Readonly<Record<BillingOperation, Wish | undefined>> = {
  suspend: 'suspended',
  resume: 'active',
  undelete: 'active',
  terminate: 'terminated',
  changePlan: undefined,
};

/**
 * What is carried out once an operation is. It is what was done that counts, not what is wanted by now: an event that came meanwhile may want again
 * what was there before the operation.
 */
export function doneBy(done: Done, kind: BillingOperation, plan: string | undefined): Done {
  const wish = BRINGS[kind] ?? done.wish;
  return { ...done, wish, ...(plan === undefined ? {} : { plan }) };
}

/** Whether there is nothing to do. */
export function isSettled(target: Target, done: Done): boolean {
  if (target.wish === 'nothing') return true;
  if (target.wish !== done.wish) return false;
  return target.wish !== 'active' || target.plan === undefined || target.plan.plan === done.plan;
}

/** One thing to do about a guest. */
export type Action =
  | { readonly do: 'nothing' }
  | { readonly do: 'place' }
  | { readonly do: 'operate'; readonly kind: BillingOperation }
  /** For the guest: an operation runs on it. */
  | { readonly do: 'wait'; readonly why: string }
  /** For another event: something is not known yet. */
  | { readonly do: 'lack'; readonly why: string }
  | { readonly do: 'refuse'; readonly type: string; readonly message: string };

const NOTHING: Action = { do: 'nothing' };

/**
 * The next thing to do.
 *
 * @param guest as it is now; undefined when there is none, or its order came to nothing
 */
export function nextAction(target: Target, done: Done, guest: GuestView | undefined): Action {
  if (target.wish === 'nothing') return NOTHING;
  if (guest === undefined || guest.phase === 'failed') return target.wish === 'active' ? firstAction(target) : NOTHING;
  const action = actionOn(target, done, guest);
  // What runs may end in another phase than the one that is seen.
  return action.do === 'nothing' && guest.isBusy ? { do: 'wait', why: 'an operation runs on the guest' } : action;
}

function actionOn(target: Target, done: Done, guest: GuestView): Action {
  if (guest.phase === 'ordered' || guest.phase === 'provisioning') return { do: 'wait', why: 'the guest is being made' };
  if (guest.phase === 'needs-cleanup')
    return { do: 'refuse', type: 'NeedsCleanup', message: 'the guest needs cleaning up first: guestflow cleanup' };
  switch (target.wish) {
    case 'terminated':
      return guest.phase === 'terminating' || guest.phase === 'gone' ? NOTHING : { do: 'operate', kind: 'terminate' };
    case 'suspended':
      return guest.phase === 'running' || guest.phase === 'stopped' ? { do: 'operate', kind: 'suspend' } : NOTHING;
    default:
      return actionOnWanted(target, done, guest);
  }
}

function firstAction({ plan, wishes }: Target): Action {
  if (plan === undefined) return { do: 'lack', why: 'it is paid; no event has named its plan yet' };
  return wishes === undefined ? { do: 'lack', why: 'it is paid; no event has named its host name yet' } : { do: 'place' };
}

function actionOnWanted({ plan }: Target, done: Done, guest: GuestView): Action {
  switch (guest.phase) {
    case 'gone':
      return { do: 'refuse', type: 'InvalidInput', message: 'its guest is gone, grace period and all: it needs an order with a new id' };
    case 'terminating':
      return { do: 'operate', kind: 'undelete' };
    case 'suspended':
      return { do: 'operate', kind: 'resume' };
    default:
      return plan === undefined || plan.plan === done.plan || plan.plan === guest.plan ? NOTHING : { do: 'operate', kind: 'changePlan' };
  }
}
