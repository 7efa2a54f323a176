/** Activities of billing, and the small workflows that an order starts beside itself. */
import { ParentClosePolicy, proxyActivities, sleep, startChild } from '@temporalio/workflow';
import { defineSearchAttributeKey, WorkflowExecutionAlreadyStartedError } from '@temporalio/common';
import type { BillingActivities } from '../../activities/control/billing/activities.ts';
import { HOLD_HOSTNAME, hostnameWorkflowId, type Notification } from '../../contract/billing.ts';
import { CONTROL_QUEUE, SEARCH_ATTRIBUTES } from '../../contract/names.ts';
import { signalTo } from '../saga/handlers.ts';
import { holdHostname } from './hold-hostname.ts';
import { notify } from './notify.ts';

/** Calls to guests, through Temporal. What still fails after these attempts is shown, and tried again by the order itself. */
export const billing = proxyActivities<BillingActivities>({
  taskQueue: CONTROL_QUEUE,
  startToCloseTimeout: '30 seconds',
  retry: { initialInterval: '1 second', backoffCoefficient: 2, maximumInterval: '10 seconds', maximumAttempts: 5 },
});

const orderKey = defineSearchAttributeKey(SEARCH_ATTRIBUTES.order, 'KEYWORD');

/**
 * Takes a host name for an order. Taking it again is no error.
 *
 * @returns undefined, or the order that holds it.
 */
export async function takeHostname(hostname: string, order: string): Promise<string | undefined> {
  try {
    await startChild(holdHostname, {
      workflowId: hostnameWorkflowId(hostname),
      args: [{ hostname, order }],
      parentClosePolicy: ParentClosePolicy.ABANDON,
      typedSearchAttributes: [{ key: orderKey, value: order }],
      memo: { order },
      staticSummary: `host name ${hostname}`,
    });
    return undefined;
  } catch (error) {
    if (!(error instanceof WorkflowExecutionAlreadyStartedError)) throw error;
    const holder = await billing.holderOfHostname(hostname);
    return holder === order ? undefined : (holder ?? 'another order');
  }
}

/** How often, and how long after each other, it is looked whether a host name is free. */
const LOOKS = 8;
const LOOK_AGAIN_MS = 250;

/** Gives a host name of an order back, and waits until others can have it. If no workflow holds it, there is nothing to do. */
export async function releaseHostname(hostname: string, order: string): Promise<void> {
  await signalTo(hostnameWorkflowId(hostname), HOLD_HOSTNAME.release).catch(() => undefined);
  for (let looks = 0; looks < LOOKS && (await billing.holderOfHostname(hostname)) === order; looks += 1) await sleep(LOOK_AGAIN_MS);
}

/** Has a webhook sent, and goes on. */
export async function sendNotification(notification: Notification): Promise<void> {
  await startChild(notify, {
    workflowId: `notify/${notification.id}`,
    args: [notification],
    parentClosePolicy: ParentClosePolicy.ABANDON,
    typedSearchAttributes: [{ key: orderKey, value: notification.data.order }],
    staticSummary: `${notification.type} of ${notification.data.guest}`,
  });
}
