/** Work on a dom0 that nobody waits for: orders go first. */
import { ApplicationFailure, CancellationScope, isCancellation, log, sleep } from '@temporalio/workflow';
import { rootFailure } from '../saga/operation.ts';
import { control, type OnWaiting } from '../saga/proxies.ts';
import { GIVE_WAY } from '../saga/time-limits.ts';

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
  if (!(await control.areOrdersHere({ dom0 }))) return;
  onWaiting('an order is at work on this dom0, and goes first');
  for (let look = 0; await control.areOrdersHere({ dom0 }); look += 1) {
    if (look === GIVE_WAY.mostLooks)
      throw ApplicationFailure.create({ type: 'Busy', nonRetryable: true, message: `orders were at work on dom0 ${dom0} for hours` });
    await sleep(GIVE_WAY.waitEveryMs);
  }
  onWaiting(undefined);
}

/** Undefined: an order came. */
async function unlessOrdered<T>(dom0: string, work: () => Promise<T>): Promise<{ readonly value: T } | undefined> {
  const working = new CancellationScope();
  const watching = new CancellationScope();
  const seen = { order: false };
  const watch = async (): Promise<void> => {
    do await sleep(GIVE_WAY.lookEveryMs);
    while (!(await control.areOrdersHere({ dom0 })));
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
