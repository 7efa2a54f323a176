/** Before the first step of a dom0's worker: guests that a killed one has left waiting go on. */
import { createEnv } from '../activities/dom0/drivers.ts';
import type { Dom0Context } from '../activities/dom0/step.ts';
import type { Work } from '../activities/dom0/work.ts';
import { reasonForLog } from '../contract/errors.ts';

/** What cannot be done now, the next attempt of the step does, or its undo: so nothing fails with it. */
export async function wakeGuests({
  mayAct,
  ...work
}: Pick<Work, 'host' | 'settings' | 'log' | 'signal'> & Required<Pick<Dom0Context, 'mayAct'>>): Promise<void> {
  try {
    await mayAct();
    await createEnv({ ...work, attempt: 1, progress: () => undefined }).storage.wake();
  } catch (error) {
    work.log.warn({ reason: reasonForLog(error) }, 'no look for guests that a killed worker has left waiting');
  }
}
