/** What a guest does about a domain that is gone. Steps are scripted; the server and the workers are real. */
import type { TestWorkflowEnvironment } from '@temporalio/testing';
import { ApplicationFailure } from '@temporalio/common';
import { WithStartWorkflowOperation, type WorkflowHandle } from '@temporalio/client';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { anOrder } from '../an-order.ts';
import { until } from './scripted.ts';
import { CONTROL_QUEUE, GUEST_SIGNALS, GUEST_UPDATES, guestWorkflowId, QUERIES, WORKFLOWS } from '../../contract/names.ts';
import type { GuestOrder, GuestStatus, OrderAnswer } from '../../contract/guest.ts';
import type { OperationResult } from '../../contract/guest-requests.ts';
import type { GuestRun } from '../../workflows/guest/guest.ts';
import { DOM0, startServer, withKeptWorkers, type AnyActivities } from './temporal.ts';

const NETWORK = { ip: '192.0.2.10', netmask: '255.255.255.0', gateway: '192.0.2.1', bridge: 'xenbr0' };
const ANSWERS: Record<string, unknown> = {
  reserve: NETWORK,
  ensureGolden: { dist: 'bookworm', createdAt: '2026-01-01', reused: true },
  createImage: { bytes: 1 },
  fixCfg: { path: '/etc/xen/x.cfg', changed: [], sha256: '' },
  stopGuest: { how: 'shut down' },
  makeVolumes: { root: 'r', swap: 's', copiedBytes: 1 },
  setWallclock: {
    independentWallclock: 'not needed',
    kernel: '6.1.0',
    clocksource: 'xen',
    timeDaemon: 'chrony',
    skewSeconds: 0,
    wentBackwards: [],
  },
  enableAutostart: { link: 'l' },
  takeBackup: { id: 'b1', path: '/b', bytes: 10 },
  scheduleNightly: 'nightly/x',
  sealGuest: { sealed: true },
  leftoversOf: [],
  schedulesLeft: [],
  dropImage: undefined,
  destroyGuest: undefined,
  disableAutostart: undefined,
};

const order = (name: string): GuestOrder => anOrder(name, DOM0);

let environment: TestWorkflowEnvironment;
beforeAll(async () => {
  environment = await startServer();
});
afterAll(async () => {
  await environment.teardown();
});

/** Activities that succeed; `bootGuest` is the test's. */
function scripted(bootGuest: () => Promise<unknown>): AnyActivities {
  const plain = Object.fromEntries(Object.keys(ANSWERS).map((name) => [name, (): Promise<unknown> => Promise.resolve(ANSWERS[name])]));
  return {
    ...plain,
    bootGuest,
    planGuest: (input: { order: GuestOrder }) => Promise.resolve({ ...input.order, network: { ...NETWORK, mac: '00:16:3E:00:00:01' } }),
  };
}

const BOOTED = { domainId: 1, seconds: 1, rootDevice: '/dev/xvda2', kernel: '6.1.0' };

const statusOf = (handle: WorkflowHandle, isGood: (status: GuestStatus) => boolean): Promise<GuestStatus> =>
  until(() => handle.query<GuestStatus>(QUERIES.status), isGood);

/** A guest that runs. */
async function running(document: GuestOrder): Promise<WorkflowHandle> {
  const start = new WithStartWorkflowOperation<(input: GuestRun) => Promise<void>>(WORKFLOWS.guest, {
    workflowId: guestWorkflowId(document.name),
    taskQueue: CONTROL_QUEUE,
    args: [{ order: document }],
    workflowIdConflictPolicy: 'USE_EXISTING',
  });
  await environment.client.workflow.executeUpdateWithStart<(input: GuestRun) => Promise<void>, OrderAnswer, [GuestOrder]>(
    GUEST_UPDATES.order,
    { args: [document], startWorkflowOperation: start },
  );
  const handle = environment.client.workflow.getHandle(guestWorkflowId(document.name));
  await statusOf(handle, ({ phase, firstBackupAt }) => phase === 'running' && firstBackupAt === undefined);
  return handle;
}

describe('a guest whose domain is gone', () => {
  it('is started again, as an operation; a second time only after a longer pause, and not once it was stopped', async () => {
    const document = order('crashed');
    let boots = 0;
    const bootGuest = (): Promise<unknown> => {
      boots += 1;
      return Promise.resolve(BOOTED);
    };
    await withKeptWorkers(environment, scripted(bootGuest), async () => {
      const handle = await running(document);
      const before = boots;
      await handle.signal(GUEST_SIGNALS.domainGone, { order: 'another order' });
      expect((await statusOf(handle, () => true)).restartAt).toBeUndefined();
      await handle.signal(GUEST_SIGNALS.domainGone, { order: document.order });
      const back = await statusOf(handle, ({ restarts, operation }) => restarts?.length === 1 && operation === undefined);
      expect(back).toMatchObject({ phase: 'running', queued: [] });
      expect(boots).toBe(before + 1);
      await handle.signal(GUEST_SIGNALS.domainGone, { order: document.order });
      const { restartAt } = await statusOf(handle, (status) => status.restartAt !== undefined);
      expect(Date.parse(restartAt ?? '') - Date.parse(back.restarts?.[0] ?? '')).toBeGreaterThanOrEqual(60_000);
      expect(
        await handle.executeUpdate<OperationResult, [unknown]>(GUEST_UPDATES.operate, { args: [{ kind: 'stop', id: 'stop' }] }),
      ).toMatchObject({ phase: 'stopped' });
      await handle.signal(GUEST_SIGNALS.domainGone, { order: document.order });
      expect((await statusOf(handle, () => true)).restartAt).toBeUndefined();
      expect(boots).toBe(before + 1);
      await handle.terminate('the test is over');
    });
  });

  it('and that was shut down from inside stays off where its order says so: stopped by an operation, its link gone, and the reason kept', async () => {
    const document: GuestOrder = { ...order('switched-off'), life: { ...order('switched-off').life, restart: 'on-crash' } };
    const calls: string[] = [];
    const told = (name: string) => (): Promise<unknown> => {
      calls.push(name);
      return Promise.resolve(ANSWERS[name]);
    };
    const activities = {
      ...scripted(() => Promise.resolve(BOOTED)),
      disableAutostart: told('disableAutostart'),
      stopGuest: told('stopGuest'),
    };
    await withKeptWorkers(environment, activities, async () => {
      const handle = await running(document);
      calls.length = 0;
      await handle.signal(GUEST_SIGNALS.domainGone, { order: document.order, how: 'crash', isBack: true });
      expect(await statusOf(handle, ({ restarts }) => restarts?.length === 1)).toMatchObject({ phase: 'running' });
      await handle.signal(GUEST_SIGNALS.domainGone, { order: document.order, how: 'shutdown' });
      const status = await statusOf(handle, ({ phase }) => phase === 'stopped');
      expect(calls).toEqual(['disableAutostart', 'stopGuest']);
      expect(status.warnings.join()).toContain('it was shut down from inside');
      expect(status).not.toHaveProperty('restartAt');
      await handle.terminate('the test is over');
    });
  });

  it('and that does not start is tried again after a longer pause, with the error to be seen', async () => {
    const document = order('broken');
    let isBroken = false;
    const bootGuest = (): Promise<unknown> =>
      isBroken
        ? Promise.reject(ApplicationFailure.create({ type: 'GuestDidNotAnswer', nonRetryable: true, message: 'it did not answer' }))
        : Promise.resolve(BOOTED);
    await withKeptWorkers(environment, scripted(bootGuest), async () => {
      const handle = await running(document);
      isBroken = true;
      await handle.signal(GUEST_SIGNALS.domainGone, { order: document.order });
      const status = await statusOf(handle, ({ restarts, restartAt }) => restarts?.length === 1 && restartAt !== undefined);
      expect(status).toMatchObject({ phase: 'running', error: { type: 'GuestDidNotAnswer' } });
      await handle.terminate('the test is over');
    });
  });
});
