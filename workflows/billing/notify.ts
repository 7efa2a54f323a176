/** notify: one workflow for each outgoing webhook or mail. What starts it, an order or the watch, does not wait for it, and may end before it. */
import { proxyActivities } from '@temporalio/workflow';
import type { BillingActivities } from '../../activities/control/billing/activities.ts';
import type { Notification, OperatorNotification } from '../../contract/billing.ts';
import { CONTROL_QUEUE } from '../../contract/names.ts';
import { declareVersioning } from '../saga/versioning.ts';

/** A receiver that is down is tried for three days, at least once an hour. */
const { deliverNotification } = proxyActivities<BillingActivities>({
  taskQueue: CONTROL_QUEUE,
  startToCloseTimeout: '30 seconds',
  scheduleToCloseTimeout: '3 days',
  retry: { initialInterval: '5 seconds', backoffCoefficient: 2, maximumInterval: '1 hour' },
});

export async function notify(notification: Notification | OperatorNotification): Promise<string> {
  return deliverNotification(notification);
}

declareVersioning('AUTO_UPGRADE', notify);
