/** One step of an order's work: look at the guest, decide, do one thing. If it fails, the error is thrown, and the order tries again later. */
import type { BillingOperation, GuestView, NotificationType } from '../../contract/billing.ts';
import type { PlanChange } from '../../contract/guest-requests.ts';
import { arrival, place } from './place.ts';
import { billing, releaseHostname } from './proxies.ts';
import { doneBy, isSettled, nextAction, targetOf, type Action, type Target } from './rules.ts';
import { guestOf, type OrderState, type Work } from './state.ts';
import { tell, tellProblems, trouble, type Save } from './tell.ts';
import { defined } from '../../contract/defined.ts';

/** What a step has come to. */
export interface Step {
  readonly work: Work;
  /** Milliseconds to wait before the next. */
  readonly pauseMs: number;
}

const LONGEST_POLL_MS = 30_000;

/** Waits longer with every look that finds nothing new. */
function later(work: Work, doing: string): Step {
  return { work: { ...work, polls: work.polls + 1, doing }, pauseMs: Math.min(1_000 * 2 ** work.polls, LONGEST_POLL_MS) };
}

/**
 * Does the next thing.
 *
 * @param save keeps what must survive if a later part of the step fails
 */
export async function performStep(state: OrderState, now: string, save: Save): Promise<Step> {
  if (state.work.pending !== undefined) return followUp(state, state.work.pending, save);
  const target = targetOf(state.heard.facts);
  const { guest: view, tells } = await billing.viewGuest(guestOf(state));
  let work = await tellProblems(state, { ...state.work, tells, look: false, lookedAt: now });
  save(work);
  if (work.placing) {
    if (view?.phase === 'ordered' || view?.phase === 'provisioning') return later(work, 'the guest is being made');
    work = await arrival(state, { ...work, placing: false }, view, save);
  }
  if (isSettled(target, work.done)) return settle(state.order, work, target, view);
  return act(state, work, target, nextAction(target, work.done, view), { view, save });
}

async function act(
  state: OrderState,
  work: Work,
  target: Target,
  action: Action,
  { view, save }: { view: GuestView | undefined; save: Save },
): Promise<Step> {
  switch (action.do) {
    case 'nothing':
      return settle(state.order, work, target, view);
    case 'wait':
      return later(work, action.why);
    case 'lack':
      return { work: { ...work, lack: action.why }, pauseMs: 0 };
    case 'refuse':
      throw trouble(action.type, action.message);
    case 'renew':
      return { work: renewed(work), pauseMs: 0 };
    case 'place':
      return later(await place(state, work, save), 'the guest is being made');
    case 'operate':
      return { work: deciding(work, action.kind, target), pauseMs: 0 };
  }
}

/** The work for the next guest, after the former one is gone. */
function renewed({ graceUntil: _over, ...work }: Work): Work {
  return { ...work, life: work.life + 1, done: { wish: 'nothing' }, failureTold: false, polls: 0, tries: 0, doing: '' };
}

/** The id names the event that caused it. The number tells tries apart: a request that failed keeps its answer, so a new try needs a new id. */
function deciding(work: Work, kind: BillingOperation, { cause, plan }: Target): Work {
  const id = `billing-${work.sequence}-${cause.replace(/[^A-Za-z0-9._-]/g, '-')}`;
  const change = kind === 'changePlan' && plan !== undefined ? { change: changeTo(plan) } : {};
  return { ...work, pending: { kind, id, ...change }, sequence: work.sequence + 1, doing: `${kind} of the guest` };
}

function changeTo({
  plan,
  size: { memoryBytes, vcpus, maxMemoryBytes, maxVcpus, rate, diskBytes },
  mayRestart,
}: NonNullable<Target['plan']>): PlanChange {
  return {
    plan,
    memoryBytes,
    vcpus,
    ...defined({ maxMemoryBytes, maxVcpus, rate }),
    diskBytes,
    mayRestart,
  };
}

/** Keeps that the target is reached. */
async function settle(
  order: string,
  { hostname, graceUntil: _former, ...work }: Work,
  target: Target,
  view: GuestView | undefined,
): Promise<Step> {
  const isGone = view === undefined || view.phase === 'gone' || view.phase === 'failed';
  const isOver = isGone && target.wish !== 'active';
  if (isOver && hostname !== undefined) await releaseHostname(hostname, order);
  // The plan of a suspended or removed guest is not changed until billing wants it active again.
  const plan = target.wish === 'active' ? target.plan?.plan : work.done.plan;
  return {
    pauseMs: 0,
    work: {
      ...work,
      done: { wish: target.wish, ...defined({ plan }) },
      ...(isOver || hostname === undefined ? {} : { hostname }),
      ...(view?.phase === 'terminating' && view.graceUntil !== undefined ? { graceUntil: view.graceUntil } : {}),
      polls: 0,
      tries: 0,
      doing: '',
    },
  };
}

const TOLD: Readonly<Partial<Record<BillingOperation, NotificationType>>> = {
  suspend: 'guest.suspended',
  resume: 'guest.resumed',
  undelete: 'guest.resumed',
  terminate: 'guest.terminated',
};

/** Asks for the operation that was decided on, until its outcome is known. */
async function followUp(state: OrderState, request: NonNullable<Work['pending']>, save: Save): Promise<Step> {
  const outcome = await billing.operateGuest({ guest: guestOf(state), request });
  const { pending: _asked, ...work } = state.work;
  switch (outcome.state) {
    case 'pending':
      return later(state.work, `${request.kind} of the guest runs`);
    case 'refused':
      return later(work, `the guest does not take ${request.kind} now: ${outcome.message}`);
    case 'failed':
      save(work);
      throw trouble(outcome.type, outcome.message);
    case 'done': {
      const type = TOLD[request.kind];
      const { graceUntil } = outcome.result;
      const done = doneBy(work.done, request.kind, request.change?.plan);
      // The guest is looked at once more: what it has become is kept, and a host name given back.
      const next: Work = { ...work, done, look: true, polls: 0, tries: 0, doing: '' };
      save(next);
      return {
        work: type === undefined ? next : await tell(state, next, type, graceUntil === undefined ? {} : { graceUntil }),
        pauseMs: 0,
      };
    }
  }
}
