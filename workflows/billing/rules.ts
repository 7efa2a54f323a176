/** Decides what to do on the guest, given what billing wants. Pure. */
import type { BillingOperation, GuestView, Wish } from '../../contract/billing.ts';
import type { Target } from './target.ts';
import { defined } from '../../contract/defined.ts';

export { afterEvent, isKnown, type Facts } from './facts.ts';
export { targetOf, type Target } from './target.ts';

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
 * What counts as carried out after an operation. That is what was done, not what is wanted by now: an event that came meanwhile may ask for the state
 * before the operation again.
 */
export function doneBy(done: Done, kind: BillingOperation, plan: string | undefined): Done {
  const wish = BRINGS[kind] ?? done.wish;
  return { ...done, wish, ...defined({ plan }) };
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
  /** The guest is gone, and the order has begun again: it gets its next guest. */
  | { readonly do: 'renew' }
  | { readonly do: 'operate'; readonly kind: BillingOperation }
  /** Waits for the guest: an operation runs on it. */
  | { readonly do: 'wait'; readonly why: string }
  /** Waits for another event: something is not known yet. */
  | { readonly do: 'lack'; readonly why: string }
  | { readonly do: 'refuse'; readonly type: string; readonly message: string };

const NOTHING: Action = { do: 'nothing' };

/** An operator has removed the guest, while billing has not ended the order: a change of plan does not bring the guest back. */
const REMOVED_BY_HAND: Action = {
  do: 'refuse',
  type: 'InvalidInput',
  message: 'its guest was removed by hand, and is gone: end the order in billing, and begin it again for another guest',
};

/** Its dom0 is lost. Nothing can be done on it until it is restored on another one; it may be ended. */
const LOST: Action = {
  do: 'refuse',
  type: 'Unreachable',
  message: 'the dom0 of its guest is lost: restore the guest on another one, then tell it again',
};

/** It runs from another system. Its own cannot be changed until it is back. */
const IN_RESCUE: Action = {
  do: 'refuse',
  type: 'Busy',
  message: 'its guest is in its rescue system: guestflow unrescue brings it back, then tell it again',
};

/**
 * The next thing to do.
 *
 * @param guest as it is now; undefined when there is none, or its order came to nothing
 */
export function nextAction(target: Target, done: Done, guest: GuestView | undefined): Action {
  if (target.wish === 'nothing') return NOTHING;
  if (guest === undefined || guest.phase === 'failed') return target.wish === 'active' ? firstAction(target) : NOTHING;
  const action = actionOn(target, done, guest);
  // An operation runs, which may end in another phase than the one that is seen now.
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
      if (guest.phase === 'lost') return LOST;
      return guest.phase === 'running' || guest.phase === 'stopped' || guest.phase === 'rescue'
        ? { do: 'operate', kind: 'suspend' }
        : NOTHING;
    default:
      return actionOnWanted(target, done, guest);
  }
}

function firstAction({ plan, wishes, problems = [] }: Target): Action {
  const missed = problems.filter(({ isMissed }) => isMissed);
  if (missed.length > 0)
    return { do: 'lack', why: `it is paid; ${missed.map(({ field, reason }) => `its ${field} ${reason}`).join('; ')}` };
  if (plan === undefined) return { do: 'lack', why: 'it is paid; no event has named its plan yet' };
  return wishes?.hostname === undefined ? { do: 'lack', why: 'it is paid; no event has named its host name yet' } : { do: 'place' };
}

function actionOnWanted({ plan }: Target, done: Done, guest: GuestView): Action {
  switch (guest.phase) {
    case 'gone':
      return done.wish === 'active' ? REMOVED_BY_HAND : { do: 'renew' };
    case 'terminating':
      return { do: 'operate', kind: 'undelete' };
    case 'suspended':
      return { do: 'operate', kind: 'resume' };
    default:
      if (plan === undefined || plan.plan === done.plan || plan.plan === guest.plan) return NOTHING;
      if (guest.phase === 'rescue') return IN_RESCUE;
      return guest.phase === 'lost' ? LOST : { do: 'operate', kind: 'changePlan' };
  }
}
