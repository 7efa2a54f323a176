/** Work on a dom0 that nobody waits for: orders go first. */
import { ApplicationFailure, CancellationScope, isCancellation, log, proxyActivities } from '@temporalio/workflow';
import type { ControlActivities } from '../../activities/control/activities.ts';
import { CONTROL_QUEUE } from '../../contract/names.ts';
import { rootFailure } from '../saga/operation.ts';
import { GIVE_WAY, OUTSIDE_CALL } from '../saga/time-limits.ts';
import type { OnWaiting } from '../saga/proxies.ts';

const { areOrdersHere } = proxyActivities<Pick<ControlActivities, 'areOrdersHere'>>({
  ...OUTSIDE_CALL,
  taskQueue: CONTROL_QUEUE,
  // When the work is done, nobody waits for the end of a look.
  cancellationType: 'ABANDON',
});

/**
 * Does the work when no order is at work on the dom0. If one comes meanwhile, the work is cancelled, and begun again when the order is done: it must be safe
 * to be ended anywhere.
 *
 * @param onGivenWay what the work has begun is ended by this, before it waits. Default: nothing is to be ended
 * @throws ApplicationFailure Busy when orders have been at work there for hours
 */
export async function givingWay<T>(
  dom0: string,
  onWaiting: OnWaiting,
  work: () => Promise<T>,
  onGivenWay?: () => Promise<void>,
): Promise<T> {
  for (;;) {
    await untilNoOrder(dom0, onWaiting);
    const outcome = await unlessOrdered(dom0, work);
    if (outcome !== undefined) return outcome.value;
    await onGivenWay?.();
  }
}

async function untilNoOrder(dom0: string, onWaiting: OnWaiting): Promise<void> {
  const { lookSeconds: seconds, mostLooks } = GIVE_WAY;
  if (!(await areOrdersHere({ dom0, until: 'one is here', seconds: 0 }))) return;
  onWaiting('an order is at work on this dom0, and goes first');
  for (let look = 0; await areOrdersHere({ dom0, until: 'none is here', seconds }); look += 1)
    if (look === mostLooks)
      throw ApplicationFailure.create({ type: 'Busy', nonRetryable: true, message: `orders were at work on dom0 ${dom0} for hours` });
  onWaiting(undefined);
}

/** Undefined: an order came. */
async function unlessOrdered<T>(dom0: string, work: () => Promise<T>): Promise<{ readonly value: T } | undefined> {
  const working = new CancellationScope();
  const watching = new CancellationScope();
  const seen = { order: false };
  const watch = async (): Promise<void> => {
    while (!(await areOrdersHere({ dom0, until: 'one is here', seconds: GIVE_WAY.lookSeconds })));
    seen.order = true;
    working.cancel();
  };
  const watched = watching.run(watch).catch((error: unknown) => {
    if (!isCancellation(error))
      log.warn('nobody looks for orders: this work gives way to none', { dom0, reason: rootFailure(error).message });
  });
  try {
    return { value: await working.run(work) };
  } catch (error) {
    if (!seen.order || !isCancellation(error)) throw error;
    return undefined;
  } finally {
    watching.cancel();
    await watched;
  }
}
