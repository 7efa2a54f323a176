/** What the workflow of an order carries from run to run, and how it reads to a person. Pure. */
import type { BillingOperation, OrderPhase, OrderProblem, OrderStatus, WishProblem } from '../../contract/billing.ts';
import { guestNameOfLife } from '../../contract/guest-name.ts';
import type { OperationRequest } from '../../contract/guest-requests.ts';
import type { KnownEvent } from './inbox.ts';
import { isSettled, targetOf, type Done, type Facts } from './rules.ts';
import { defined } from '../../contract/defined.ts';

/** What was said. Only events change it. */
export interface Heard {
  readonly facts: Facts;
  readonly inbox: readonly KnownEvent[];
  readonly refused: readonly OrderProblem[];
  readonly lastEventAt: string;
}

/** What is being done about it. Only the main loop changes it. */
export interface Work {
  readonly done: Done;
  /** The operation that was decided on. The order asks for it again until its outcome is known. */
  readonly pending?: OperationRequest & { readonly kind: BillingOperation };
  /** The guest is ordered, and what came of it is not known yet. */
  readonly placing: boolean;
  /** The host name that is held. */
  readonly hostname?: string;
  /** Counts operations and notifications, for their ids. */
  readonly sequence: number;
  /** How many looks in a row have found nothing new. */
  readonly polls: number;
  /** How many tries in a row have failed. */
  readonly tries: number;
  readonly trouble?: OrderProblem;
  /** What no event has said yet. */
  readonly lack?: string;
  /** Somebody wants to be told of this guest. */
  readonly tells: boolean;
  /** The receiver was told that this guest cannot be had. */
  readonly failureTold: boolean;
  readonly graceUntil?: string;
  /** Problems with wishes of which the provider was told: their keys by `keyOf`. */
  readonly problemsTold: readonly string[];
  /** Counts the guests of the order, from 1: an order that begins again after its guest's end gets another guest. */
  readonly life: number;
  /** The guest must be looked at, even if there is nothing to do. */
  readonly look: boolean;
  readonly lookedAt: string;
  readonly doing: string;
}

export interface OrderState {
  readonly order: string;
  /** Name of the first life's guest. */
  readonly guest: string;
  readonly heard: Heard;
  readonly work: Work;
}

/** An order of which nothing is known yet. */
export function firstState(order: string, guest: string, now: string): OrderState {
  return {
    order,
    guest,
    heard: { facts: {}, inbox: [], refused: [], lastEventAt: now },
    work: {
      done: { wish: 'nothing' },
      placing: false,
      sequence: 0,
      polls: 0,
      tries: 0,
      tells: false,
      failureTold: false,
      problemsTold: [],
      life: 1,
      look: false,
      lookedAt: now,
      doing: '',
    },
  };
}

/** The guest of the order's present life. */
export function guestOf({ guest, work }: Pick<OrderState, 'guest' | 'work'>): string {
  return guestNameOfLife(guest, work.life);
}

/** Wishes that cannot be fulfilled as they were stated. */
export function problemsOf({ heard }: OrderState): readonly WishProblem[] {
  return targetOf(heard.facts).problems ?? [];
}

/** What makes a problem the same one, however often it is said. */
export function keyOf({ field, reason }: WishProblem): string {
  return `${field} ${reason}`;
}

/** Whether there is a problem of which the provider was not told yet, or one of which it was told has been mended. */
function hasNewsOfProblems(state: OrderState): boolean {
  return problemsOf(state).map(keyOf).join('\n') !== state.work.problemsTold.join('\n');
}

/** Whether there is something to do now. */
export function hasWork(state: OrderState): boolean {
  const { heard, work } = state;
  if (work.trouble !== undefined || work.lack !== undefined) return false;
  return (
    work.pending !== undefined || work.placing || work.look || !isSettled(targetOf(heard.facts), work.done) || hasNewsOfProblems(state)
  );
}

const FIRST_RETRY_MS = 30_000;
const LONGEST_RETRY_MS = 3_600_000;
/** A guest whose grace period is over is looked at until it has gone. */
const AFTER_GRACE_MS = 60_000;
const LOOK_AGAIN_MS = 600_000;
/** An order is kept so long after its last event: senders retry for days, and a late event must find what came before it. */
const KEPT_MS = 35 * 86_400_000;

/** Trouble that only another event, or a person, can end. */
const FINAL: ReadonlySet<string> = new Set(['InvalidInput', 'NotOurs']);

/** Whether the order is over, and no event has come for it for weeks. */
export function isOver(state: OrderState, now: number): boolean {
  const { heard, work } = state;
  const { wish } = targetOf(heard.facts);
  const isDone =
    (wish === 'nothing' || wish === 'terminated') && !hasWork(state) && work.graceUntil === undefined && work.trouble === undefined;
  return isDone && now >= Date.parse(heard.lastEventAt) + KEPT_MS;
}

/** Milliseconds until the order must be looked at again by itself; undefined: not before something comes. */
export function restMs(state: OrderState, now: number): number | undefined {
  const until = restsUntil(state);
  return until === undefined ? undefined : Math.max(1, until - now);
}

function restsUntil({ heard, work }: OrderState): number | undefined {
  const { trouble, tries, graceUntil, lookedAt } = work;
  if (trouble !== undefined)
    return FINAL.has(trouble.type) ? undefined : Date.parse(trouble.at) + Math.min(FIRST_RETRY_MS * 2 ** (tries - 1), LONGEST_RETRY_MS);
  if (graceUntil !== undefined) return Math.max(Date.parse(graceUntil) + AFTER_GRACE_MS, Date.parse(lookedAt) + LOOK_AGAIN_MS);
  const { wish } = targetOf(heard.facts);
  return wish === 'nothing' || wish === 'terminated' ? Date.parse(heard.lastEventAt) + KEPT_MS : undefined;
}

/** The work as the next attempt begins: without the trouble of the last one. */
export function nextAttempt({ trouble: _former, lack: _lack, ...work }: Work): Work {
  return { ...work, polls: 0 };
}

/** What the order's search attribute says. */
export function phaseOf(state: OrderState): OrderPhase {
  const { heard, work } = state;
  if (work.trouble !== undefined || heard.refused.length > 0 || problemsOf(state).length > 0) return 'problem';
  if (work.lack !== undefined) return 'waiting';
  if (hasWork(state)) return 'working';
  const { wish } = targetOf(heard.facts);
  if (wish === 'nothing') return 'waiting';
  return wish === 'terminated' && work.graceUntil === undefined ? 'over' : 'settled';
}

export function statusOf(state: OrderState): OrderStatus {
  const { heard, work } = state;
  const { wish, plan, wishes } = targetOf(heard.facts);
  return {
    order: state.order,
    guest: guestOf(state),
    phase: phaseOf(state),
    wish,
    doing: work.lack ?? work.doing,
    ...(plan === undefined ? {} : { plan: plan.plan }),
    ...(wishes?.hostname === undefined ? {} : { hostname: wishes.hostname }),
    ...(wishes?.customer === undefined ? {} : { customer: wishes.customer }),
    ...defined({ trouble: work.trouble }),
    problems: problemsOf(state),
    life: work.life,
    refused: heard.refused,
    events: heard.inbox.map(({ id, type, at, receivedAt }) => ({ id, type, at, receivedAt })),
  };
}

/** Markdown for the Temporal UI. */
export function describeState(state: OrderState): string {
  const { guest, wish, plan, hostname, doing, trouble, problems, refused } = statusOf(state);
  return [
    `order **${state.order}** is to be **${wish}**${plan === undefined ? '' : `, plan ${plan}`}${hostname === undefined ? '' : `, host name ${hostname}`}; its guest is \`guest/${guest}\``,
    ...(doing === '' ? [] : [`- ${doing}`]),
    ...(trouble === undefined ? [] : [`- ⚠ ${trouble.type}: ${trouble.message}`]),
    ...problems.map(({ field, reason, mend }) => `- ⚠ ${field} ${reason}: ${mend}`),
    ...refused.map(({ message }) => `- ⚠ ${message}`),
  ].join('\n');
}
