/**
 * Records the histories that `test/workflow/replay.test.ts` replays: some for each workflow type, one for each way its life can go. Run it when a
 * workflow type is new; a history that is there already is kept, since it is what running workflows have behind them. `--again` replaces all.
 */
import { WorkflowFailedError, type WorkflowHandle } from '@temporalio/client';
import type { TestWorkflowEnvironment } from '@temporalio/testing';
import { CONTROL_QUEUE, GUEST_UPDATES, guestWorkflowId, operationWorkflowId, WORKFLOWS } from '../../contract/names.ts';
import type { GoldenImage, GoldenSystem } from '../../contract/golden.ts';
import type { OperationRequest } from '../../contract/guest-requests.ts';
import { NO, order, scripted, untilCancelled } from '../workflow/scripted.ts';
import { DOM0, startServer, withWorkers, type AnyActivities } from '../workflow/temporal.ts';
import { recordBilling } from './billing.ts';
import { recordCarried } from './carried.ts';
import { recordLost } from './lost.ts';
import { recordOperations } from './operations.ts';
import { place, record, settled } from './recording.ts';

/** A whole life: every operation once. */
async function life(environment: TestWorkflowEnvironment): Promise<void> {
  const document = order();
  await withWorkers(environment, scripted([]), async () => {
    const handle = await place(environment, document);
    await settled(handle);
    const nightly = operationWorkflowId(document.name, 'nightly', 'run');
    await environment.client.workflow.execute(WORKFLOWS.nightlyBackup, {
      workflowId: nightly,
      taskQueue: CONTROL_QUEUE,
      args: [{ name: document.name, order: document.order, dom0: DOM0 }],
    });
    await record(environment, nightly, 'nightly-backup');
    const adjusted = { plan: 'medium', memoryBytes: 2 ** 29, vcpus: 2, diskBytes: 2 ** 33, mayRestart: false };
    const requests: (Omit<OperationRequest, 'id'> & { name?: string })[] = [
      { kind: 'stop' },
      { kind: 'start' },
      { kind: 'reboot' },
      { kind: 'backup' },
      { kind: 'prune' },
      { kind: 'protect', backup: '20260101T020000Z' },
      { kind: 'unprotect' },
      { kind: 'prove' },
      { kind: 'prove', name: 'prove-when-idle', whenIdle: true },
      { kind: 'restore' },
      { kind: 'undoRestore' },
      { kind: 'keepRestored' },
      { kind: 'resize', resize: { diskBytes: 2 ** 32, how: 'offline' } },
      { kind: 'resize', name: 'resize-smaller', resize: { diskBytes: 2 ** 31, how: 'offline' } },
      { kind: 'restore', name: 'restore-of-an-id', backup: '20260101T020000Z' },
      { kind: 'keepRestored', name: 'keepRestored-again' },
      { kind: 'reinstall', reinstall: { dist: 'trixie' } },
      { kind: 'undoRestore', name: 'undoRestore-of-a-reinstall' },
      { kind: 'rescue', rescue: { sshKeys: ['ssh-ed25519 AAAA'] } },
      { kind: 'unrescue' },
      { kind: 'suspend' },
      { kind: 'resume' },
      { kind: 'setPassword', access: { sealedPassword: { [DOM0]: 'x'.repeat(80) }, how: 'offline' } },
      { kind: 'setHostname', access: { hostname: 'shop.example.org', how: 'offline' } },
      { kind: 'setKeys', access: { sshKeys: [], how: 'offline' } },
      { kind: 'terminate' },
      { kind: 'undelete' },
      { kind: 'changePlan', change: { plan: 'large', memoryBytes: 2 ** 30, vcpus: 2, diskBytes: 2 ** 33, mayRestart: true } },
      { kind: 'changePlan', name: 'changePlan-adjusted', change: adjusted },
      { kind: 'resize', name: 'resize-live', resize: { diskBytes: 2 ** 34, how: 'live' } },
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
    await record(environment, guestWorkflowId(document.name), 'guest-life-backups');
    await record(environment, guestWorkflowId(document.name), 'guest-life-rescue');
    await record(environment, operationWorkflowId(document.name, 'provision', document.order), 'provision');
  });
}

/** A guest that is on its dom0 is taken over, or cannot be. */
async function adoption(
  environment: TestWorkflowEnvironment,
  name: string,
  changes: AnyActivities = {},
  during: (handle: WorkflowHandle) => Promise<unknown> = () => Promise.resolve(),
): Promise<void> {
  const document = order();
  await withWorkers(environment, scripted([], changes), async () => {
    const handle = await place(environment, document, { adopts: true });
    await during(handle);
    await settled(handle);
    if (name === 'adopt') await handle.executeUpdate(GUEST_UPDATES.operate, { args: [{ kind: 'terminate', id: 'end', now: true }] });
    await handle.result().catch(() => undefined);
    await record(environment, guestWorkflowId(document.name), `guest-${name}`);
    await record(environment, operationWorkflowId(document.name, 'adopt', document.order), name);
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

/** A distribution of which one golden root file system is used. */
function goldenImage(dist: string): GoldenImage {
  const how = { type: 'pv', timezone: 'UTC', serialDevice: 'hvc0', fs: 'ext4', fsOptions: 'noatime' } as const;
  return { dist, createdAt: '2026-01-01', isDue: true, systems: [{ dist, ...how, diskBytes: 2 ** 31 }] };
}

/** Tasks on a dom0: one that removes what an orphan left, one that renews golden images, and two that fail. */
async function recordTasks(environment: TestWorkflowEnvironment): Promise<void> {
  const { client } = environment;
  const run = async (type: string, workflowId: string, input: object): Promise<void> => {
    await client.workflow.execute(type, { workflowId, taskQueue: CONTROL_QUEUE, args: [input] }).catch((error: unknown) => {
      if (!(error instanceof WorkflowFailedError)) throw error;
    });
    await record(environment, workflowId, workflowId);
  };
  const claims = (asked: { guest: string }[]): Promise<unknown> =>
    Promise.resolve(
      asked.map(({ guest }) =>
        guest === 'claimed' ? { claimed: true, reason: 'running' } : { claimed: false, reason: 'there is no workflow of that name' },
      ),
    );
  const activities = {
    ...scripted([]),
    claims,
    audit: () => Promise.resolve([]),
    preflight: NO('HostNotReady'),
    listGolden: () => Promise.resolve(['bookworm', 'trixie'].map(goldenImage)),
    // Of the second the root file system does not boot.
    bootGoldenTrial: ({ system: { dist } }: { system: GoldenSystem }) =>
      dist === 'trixie' ? NO('GuestDidNotAnswer')() : Promise.resolve({ seconds: 1, what: 'golden login:' }),
  };
  await withWorkers(environment, activities, async () => {
    const orphans = ['orphan', 'claimed'].map((guest) => ({ guest, order: `order-${guest}` }));
    await run(WORKFLOWS.dom0Task, 'dom0-task-clean', { host: DOM0, task: 'clean', orphans });
    await record(environment, 'dom0-task-clean', 'dom0-task-clean-looks-again');
    await record(environment, operationWorkflowId('orphan', 'clean', 'order-orphan'), 'dom0-task-remove');
    await run(WORKFLOWS.dom0Task, 'dom0-task-failed', { host: DOM0, task: 'preflight' });
    await run(WORKFLOWS.dom0Task, 'dom0-task-renew', { host: DOM0, task: 'renew' });
    await run(WORKFLOWS.nightlyBackup, 'nightly-backup-failed', { name: 'nobody', order: 'order-nobody', dom0: DOM0 });
  });
}

// First: the webhooks that it sends are signed with the time at which this process began, and are refused when they are old.
await recordBilling(record);
const environment = await startServer();
try {
  await life(environment);
  await adoption(environment, 'adopt');
  await adoption(environment, 'adopt-undone', { scheduleNightly: NO('ToolFailed') });
  await failing(environment, 'undone', { makeVolumes: NO('NoCapacity') }, (handle) => handle.result().catch(() => undefined));
  await failing(
    environment,
    'needs-cleanup',
    { bootGuest: NO('GuestDidNotAnswer'), removeImage: NO('ToolFailed'), leftoversOf: () => Promise.resolve(['/home/xen/domains/x']) },
    settled,
  );
  let adopting = (): void => undefined;
  const isAdopting = new Promise<void>((resolve) => {
    adopting = resolve;
  });
  await adoption(environment, 'adopt-cancelled', { adopt: untilCancelled(() => adopting()) }, async (handle) => {
    await isAdopting;
    await handle.executeUpdate(GUEST_UPDATES.cancel);
  });
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
  await withWorkers(environment, { ...scripted([]), preflight: () => Promise.resolve({ rows: [] }) }, async () => {
    const { client } = environment;
    await client.workflow.execute(WORKFLOWS.dom0Task, {
      workflowId: 'task',
      taskQueue: CONTROL_QUEUE,
      args: [{ host: DOM0, task: 'preflight' }],
    });
    await record(environment, 'task', 'dom0-task');
    await client.workflow.execute(WORKFLOWS.spendTicket, { workflowId: 'ticket/1', taskQueue: CONTROL_QUEUE });
    await record(environment, 'ticket/1', 'spend-ticket');
  });
  await recordOperations(environment);
  await recordLost(environment);
  await recordTasks(environment);
} finally {
  await environment.teardown();
}
await recordCarried();
process.exit(0);
