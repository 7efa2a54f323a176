/**
 * Records the histories that `test/workflow/replay.test.ts` replays: one for each workflow type and each way its life can go. Run it when a
 * workflow type is new; a history that is there already is kept, since it is what running workflows have behind them. `--again` replaces all.
 */
import { mkdirSync, existsSync, writeFileSync } from 'node:fs';
import { Context } from '@temporalio/activity';
import { WithStartWorkflowOperation, type WorkflowHandle } from '@temporalio/client';
import { historyToJSON } from '@temporalio/common/lib/proto-utils.js';
import type { TestWorkflowEnvironment } from '@temporalio/testing';
import { CONTROL_QUEUE, GUEST_UPDATES, guestWorkflowId, operationWorkflowId, QUERIES, WORKFLOWS } from '../contract/names.ts';
import type { GuestOrder, GuestStatus, OperationRequest } from '../contract/types.ts';
import type { GuestInput } from '../workflows/guest.ts';
import { NO, order, scripted } from '../test/workflow/scripted.ts';
import { DOM0, startServer, withWorkers, type AnyActivities } from '../test/workflow/temporal.ts';
import { recordBilling } from './record-billing.ts';

const ROOT = new URL('../', import.meta.url).pathname;
const FOLDER = `${ROOT}test/histories/`;
const again = process.argv.includes('--again');

async function record(environment: TestWorkflowEnvironment, workflowId: string, name: string): Promise<void> {
  const file = `${FOLDER}${name}.json`;
  if (existsSync(file) && !again) return;
  const history = await environment.client.workflow.getHandle(workflowId).fetchHistory();
  // Stack traces name the checkout's folder, which is nobody's business.
  writeFileSync(file, `${historyToJSON(history).replaceAll(ROOT, '/guestflow/')}\n`);
  process.stdout.write(`${name}\n`);
}

async function place(environment: TestWorkflowEnvironment, document: GuestOrder): Promise<WorkflowHandle> {
  const workflowId = guestWorkflowId(document.name);
  await environment.client.workflow.executeUpdateWithStart<(input: GuestInput) => Promise<void>, unknown, [GuestOrder]>(
    GUEST_UPDATES.order,
    {
      args: [document],
      startWorkflowOperation: new WithStartWorkflowOperation<(input: GuestInput) => Promise<void>>(WORKFLOWS.guest, {
        workflowId,
        taskQueue: CONTROL_QUEUE,
        args: [{ order: document }],
        workflowIdConflictPolicy: 'USE_EXISTING',
      }),
    },
  );
  return environment.client.workflow.getHandle(workflowId);
}

async function settled(handle: WorkflowHandle): Promise<GuestStatus> {
  for (;;) {
    const status = await handle.query<GuestStatus>(QUERIES.status);
    if (status.operation === undefined && !['ordered', 'provisioning'].includes(status.phase)) return status;
    await new Promise((resolve) => {
      setTimeout(resolve, 100);
    });
  }
}

/** A whole life: every operation once. */
async function life(environment: TestWorkflowEnvironment): Promise<void> {
  const document = order();
  await withWorkers(environment, scripted([]), async () => {
    const handle = await place(environment, document);
    await settled(handle);
    const adjusted = { plan: 'medium', memoryBytes: 2 ** 29, vcpus: 2, diskBytes: 2 ** 33, mayRestart: false };
    const requests: (Omit<OperationRequest, 'id'> & { name?: string })[] = [
      { kind: 'stop' },
      { kind: 'start' },
      { kind: 'backup' },
      { kind: 'suspend' },
      { kind: 'resume' },
      { kind: 'terminate' },
      { kind: 'undelete' },
      { kind: 'changePlan', change: { plan: 'large', memoryBytes: 2 ** 30, vcpus: 2, diskBytes: 2 ** 33, mayRestart: true } },
      { kind: 'changePlan', name: 'changePlan-adjusted', change: adjusted },
      { kind: 'terminate', now: true },
    ];
    for (const [index, { name, ...request }] of requests.entries()) {
      const id = `${request.kind}-${String(index)}`;
      await handle.executeUpdate(GUEST_UPDATES.operate, { args: [{ ...request, id }], updateId: id });
      await record(
        environment,
        operationWorkflowId(document.name, request.kind, id),
        name ?? `${request.kind}${request.now === true ? '-now' : ''}`,
      );
    }
    await handle.result();
    await record(environment, guestWorkflowId(document.name), 'guest-life');
    await record(environment, guestWorkflowId(document.name), 'guest-life-adjusted');
    await record(environment, operationWorkflowId(document.name, 'provision', document.order), 'provision');
  });
}

async function failing(
  environment: TestWorkflowEnvironment,
  name: string,
  changes: AnyActivities,
  during: (handle: WorkflowHandle) => Promise<unknown>,
): Promise<void> {
  const document = order();
  await withWorkers(environment, scripted([], changes), async () => {
    const handle = await place(environment, document);
    await during(handle);
    await record(environment, guestWorkflowId(document.name), `guest-${name}`);
    await record(environment, operationWorkflowId(document.name, 'provision', document.order), `provision-${name}`);
    await handle.terminate('recorded').catch(() => undefined);
  });
}

/** An activity that runs until it is cancelled. */
function untilCancelled(reached: () => void): () => Promise<never> {
  return async () => {
    reached();
    const context = Context.current();
    const timer = setInterval(() => {
      context.heartbeat();
    }, 50);
    try {
      return await context.cancelled;
    } finally {
      clearInterval(timer);
    }
  };
}

mkdirSync(FOLDER, { recursive: true });
const environment = await startServer();
try {
  await life(environment);
  await failing(environment, 'undone', { makeVolumes: NO('NoCapacity') }, (handle) => handle.result().catch(() => undefined));
  await failing(
    environment,
    'needs-cleanup',
    { bootGuest: NO('GuestDidNotAnswer'), removeImage: NO('ToolFailed'), leftoversOf: () => Promise.resolve(['/home/xen/domains/x']) },
    settled,
  );
  let reached = (): void => undefined;
  const inside = new Promise<void>((resolve) => {
    reached = resolve;
  });
  await failing(
    environment,
    'cancelled',
    {
      createImage: untilCancelled(() => {
        reached();
      }),
    },
    async (handle) => {
      await inside;
      await handle.executeUpdate(GUEST_UPDATES.cancel);
      await handle.result().catch(() => undefined);
    },
  );
  await withWorkers(
    environment,
    { ...scripted([]), preflight: () => Promise.resolve({ rows: [] }), requestBackup: () => Promise.resolve({}) },
    async () => {
      const { client } = environment;
      await client.workflow.execute(WORKFLOWS.dom0Task, {
        workflowId: 'task',
        taskQueue: CONTROL_QUEUE,
        args: [{ host: DOM0, task: 'preflight' }],
      });
      await record(environment, 'task', 'dom0-task');
      await client.workflow.execute(WORKFLOWS.nightlyBackup, {
        workflowId: 'nightly',
        taskQueue: CONTROL_QUEUE,
        args: [{ name: 'guest1', order: 'order-guest1', dom0: DOM0 }],
      });
      await record(environment, 'nightly', 'nightly-backup');
    },
  );
} finally {
  await environment.teardown();
}
await recordBilling(record);
process.exit(0);
