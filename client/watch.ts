/** The workflow that tells operators what goes wrong. */
import type { Client } from '@temporalio/client';
import { CONTROL_QUEUE, WORKFLOWS } from '../contract/names.ts';
import { WATCH_ID } from '../contract/watch.ts';

/** Starts it, unless it runs: there is one, whoever starts it. */
export async function startWatch(client: Client): Promise<void> {
  await client.workflow.start(WORKFLOWS.watch, {
    workflowId: WATCH_ID,
    taskQueue: CONTROL_QUEUE,
    args: [],
    workflowIdConflictPolicy: 'USE_EXISTING',
    staticSummary: 'tells operators what goes wrong, and when it is over',
  });
}
