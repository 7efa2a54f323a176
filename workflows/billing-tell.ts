/** What an order has the provider told, and how a trouble is kept. */
import { ApplicationFailure } from '@temporalio/workflow';
import type { GuestView, NotificationType, OrderProblem } from '../contract/billing-types.ts';
import { sendNotification } from './billing-proxies.ts';
import { targetOf } from './billing-rules.ts';
import type { OrderState, Work } from './billing-state.ts';
import { rootFailure } from './operation.ts';

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
  view: Pick<GuestView, 'ip' | 'graceUntil' | 'error'> = {},
): Promise<Work> {
  if (!work.tells) return work;
  const { order, guest } = state;
  const { plan, wishes } = targetOf(state.heard.facts);
  const { ip, graceUntil, error } = view;
  await sendNotification({
    id: `${order}.${String(work.sequence)}`,
    type,
    timestamp: new Date().toISOString(),
    data: {
      order,
      guest,
      ...(wishes === undefined ? {} : { hostname: wishes.hostname }),
      ...(plan === undefined ? {} : { plan: plan.plan }),
      ...(ip === undefined ? {} : { ip }),
      ...(graceUntil === undefined ? {} : { graceUntil }),
      ...(error === undefined ? {} : { error }),
    },
  });
  return { ...work, sequence: work.sequence + 1 };
}

/** Has the provider told that the guest cannot be had, once for each time that it was asked for. */
export async function tellFailure(state: OrderState, work: Work, error: unknown): Promise<Work> {
  if (work.failureTold) return work;
  const { type, message } = rootFailure(error);
  return { ...(await tell(state, work, 'guest.failed', { error: { type, message } })), failureTold: true };
}
