/** A second scripted dom0, beside the usual one. */
import type { TestWorkflowEnvironment } from '@temporalio/testing';
import { Worker } from '@temporalio/worker';
import { dom0BulkQueue, dom0Queue } from '../../contract/names.ts';
import type { AnyActivities } from './temporal.ts';

/** Its name. */
export const OTHER = 'other';

/** Runs `work` with workers for its queues. */
export async function withOther(
  { nativeConnection: connection }: TestWorkflowEnvironment,
  activities: AnyActivities,
  work: () => Promise<void>,
): Promise<void> {
  const workers = await Promise.all(
    [dom0Queue(OTHER), dom0BulkQueue(OTHER)].map((taskQueue) =>
      Worker.create({ connection, taskQueue, activities, maxHeartbeatThrottleInterval: '100ms' }),
    ),
  );
  const over = Promise.all(workers.map((worker) => worker.run()));
  over.catch(() => undefined);
  try {
    await work();
  } finally {
    for (const worker of workers) worker.shutdown();
    await over;
  }
}
