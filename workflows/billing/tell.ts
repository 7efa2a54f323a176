/** What an order has the provider told, and how a trouble is kept. */
import { ApplicationFailure } from '@temporalio/workflow';
import type { GuestView, Notification, NotificationType, OrderProblem, WishProblem } from '../../contract/billing.ts';
import { sendNotification } from './proxies.ts';
import { targetOf } from './rules.ts';
import { guestOf, keyOf, problemsOf, type OrderState, type Work } from './state.ts';
import { rootFailure } from '../saga/operation.ts';
import { defined } from '../../contract/defined.ts';

/** Keeps what must not be forgotten when a later part of a step fails. */
export type Save = (work: Work) => void;

/** What stands in the way: kept, shown, and tried again later. */
export function trouble(type: string, message: string): ApplicationFailure {
  return ApplicationFailure.create({ type, message, nonRetryable: true });
}

/** Trouble, as it is kept and shown. */
export function problemOf(error: unknown, now: string): OrderProblem {
  const { type, message } = rootFailure(error);
  return { at: now, type, message };
}

/** Has the provider told, if it wants to be; returns the work with the notification counted. */
export async function tell(
  state: OrderState,
  work: Work,
  type: NotificationType,
  view: Pick<GuestView, 'ip' | 'graceUntil' | 'error'> & { readonly problem?: WishProblem } = {},
): Promise<Work> {
  if (!work.tells) return work;
  const { order } = state;
  const { plan, wishes } = targetOf(state.heard.facts);
  const { ip, graceUntil, error, problem } = view;
  await sendNotification({
    // Each guest of the order has ids of its own: a receiver may remember those of a former one.
    id: `${order}${work.life === 1 ? '' : `.${work.life}`}.${work.sequence}`,
    type,
    timestamp: new Date().toISOString(),
    data: {
      order,
      guest: guestOf({ ...state, work }),
      ...(wishes?.hostname === undefined ? {} : { hostname: wishes.hostname }),
      ...(plan === undefined ? {} : { plan: plan.plan }),
      ...defined({ ip, graceUntil, error }),
      ...(problem === undefined ? {} : { problem: told(problem) }),
    },
  });
  return { ...work, sequence: work.sequence + 1 };
}

/** Has the provider told that the guest cannot be made: once for each time that it was asked for. */
export async function tellFailure(state: OrderState, work: Work, error: unknown): Promise<Work> {
  if (work.failureTold) return work;
  const { type, message } = rootFailure(error);
  return { ...(await tell(state, work, 'guest.failed', { error: { type, message } })), failureTold: true };
}

function told({ field, reason, mend, since }: WishProblem): NonNullable<Notification['data']['problem']> {
  return { field, reason, mend, since };
}

/** Has the provider told of each wish that cannot be fulfilled as it was stated: once, until it is mended. */
export async function tellProblems(state: OrderState, work: Work): Promise<Work> {
  const problems = problemsOf(state);
  let next = work;
  for (const problem of problems)
    if (!work.problemsTold.includes(keyOf(problem))) next = await tell(state, next, 'order.problem', { problem });
  return { ...next, problemsTold: problems.map(keyOf) };
}
