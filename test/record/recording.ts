/** What all recorders of histories need: keeping one, ordering a guest, operating it. */
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { WithStartWorkflowOperation, type WorkflowHandle } from '@temporalio/client';
import { historyToJSON } from '@temporalio/common/lib/proto-utils.js';
import type { TestWorkflowEnvironment } from '@temporalio/testing';
import { isSettled } from '../../client/index.ts';
import { until } from '../../system/until.ts';
import { CONTROL_QUEUE, GUEST_UPDATES, guestWorkflowId, operationWorkflowId, QUERIES, WORKFLOWS } from '../../contract/names.ts';
import type { GuestOrder, GuestStatus } from '../../contract/guest.ts';
import type { OperationRequest } from '../../contract/guest-requests.ts';
import type { GuestRun } from '../../workflows/guest/guest.ts';

const ROOT = new URL('../../', import.meta.url).pathname;
const FOLDER = `${ROOT}test/histories/`;
const again = process.argv.includes('--again');

/** Keeps the history of a workflow by a name, unless there is one of that name. `runId` default: its last run. */
export async function record(environment: TestWorkflowEnvironment, workflowId: string, name: string, runId?: string): Promise<void> {
  const file = `${FOLDER}${name}.json`;
  if (existsSync(file) && !again) return;
  const history = await environment.client.workflow.getHandle(workflowId, runId).fetchHistory();
  // Stack traces name the checkout's folder, and identities this machine: both are nobody's business.
  const text = historyToJSON(history).replaceAll(ROOT, '/guestflow/').replaceAll(`${process.pid}@${hostname()}`, 'recorder');
  mkdirSync(FOLDER, { recursive: true });
  writeFileSync(file, `${text}\n`);
  process.stdout.write(`${name}\n`);
}

/** Orders a guest, or has one taken over. */
export async function place(
  environment: TestWorkflowEnvironment,
  document: GuestOrder,
  how: Pick<GuestRun, 'adopts'> = {},
): Promise<WorkflowHandle> {
  const workflowId = guestWorkflowId(document.name);
  await environment.client.workflow.executeUpdateWithStart<(input: GuestRun) => Promise<void>, unknown, [GuestOrder]>(GUEST_UPDATES.order, {
    args: [document],
    startWorkflowOperation: new WithStartWorkflowOperation<(input: GuestRun) => Promise<void>>(WORKFLOWS.guest, {
      workflowId,
      taskQueue: CONTROL_QUEUE,
      args: [{ order: document, ...how }],
      workflowIdConflictPolicy: 'USE_EXISTING',
    }),
  });
  return environment.client.workflow.getHandle(workflowId);
}

/** Waits until the order has come to an end, and the first backup with it. */
export async function settled(handle: WorkflowHandle): Promise<GuestStatus> {
  const look = async (): Promise<GuestStatus | undefined> => {
    const status = await handle.query<GuestStatus>(QUERIES.status);
    return isSettled(status) ? status : undefined;
  };
  return until(look, { everyMs: 100 });
}

let operations = 0;

/** An operation on a guest: its workflow id, and what comes of it. */
export function operate(
  environment: TestWorkflowEnvironment,
  guest: string,
  request: Omit<OperationRequest, 'id'>,
): { workflowId: string; done: Promise<unknown> } {
  operations += 1;
  const id = `${request.kind}-${operations}`;
  const handle = environment.client.workflow.getHandle(guestWorkflowId(guest));
  const done = handle.executeUpdate(GUEST_UPDATES.operate, { args: [{ ...request, id }], updateId: id });
  return { workflowId: operationWorkflowId(guest, request.kind, id), done };
}
