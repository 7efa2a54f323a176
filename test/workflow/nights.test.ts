/** A guest's nights: each one is done, or says why not. The workflows are real, with waits for tests; the steps are scripted. */
import type { TestWorkflowEnvironment } from '@temporalio/testing';
import { WorkflowFailedError } from '@temporalio/client';
import { afterAll, beforeAll, expect, it } from 'vitest';
import {
  CONTROL_QUEUE,
  GUEST_SIGNALS,
  GUEST_UPDATES,
  guestWorkflowId,
  operationWorkflowId,
  QUERIES,
  WORKFLOWS,
} from '../../contract/names.ts';
import type { NightRecord, NightRequest } from '../../contract/nights.ts';
import type { GuestOrder, GuestStatus } from '../../contract/guest.ts';
import { rootFailure } from '../../workflows/saga/operation.ts';
import { shortBundle } from '../faults/bundle.ts';
import { startRunning } from './many-guests.ts';
import { NO, order, scripted, until, untilCancelled } from './scripted.ts';
import { startServer, withKeptWorkers, type AnyActivities } from './temporal.ts';

const PATIENCE_MS = 120_000;

let environment: TestWorkflowEnvironment;
let bundle: string;
beforeAll(async () => {
  environment = await startServer();
  bundle = await shortBundle();
}, PATIENCE_MS);
afterAll(async () => {
  await environment.teardown();
});

async function nightsOf({ name }: GuestOrder): Promise<readonly NightRecord[]> {
  return (await environment.client.workflow.getHandle(guestWorkflowId(name)).query<GuestStatus>(QUERIES.status)).nights ?? [];
}

/** What a Schedule starts. */
function night({ name, order: id, dom0 }: GuestOrder, run = 'run'): Promise<NightRecord> {
  return environment.client.workflow.execute(WORKFLOWS.nightlyBackup, {
    workflowId: operationWorkflowId(name, 'nightly', run),
    taskQueue: CONTROL_QUEUE,
    args: [{ name, order: id, dom0 }],
  }) as Promise<NightRecord>;
}

async function failureOf(work: Promise<unknown>): Promise<{ type: string; message: string }> {
  const error: unknown = await work.then(
    () => new Error('it went well'),
    (caught: unknown) => caught,
  );
  return rootFailure(error instanceof WorkflowFailedError ? error.cause : error);
}

/** With a guest that runs. */
async function withGuest(changes: AnyActivities, work: (document: GuestOrder, calls: readonly string[]) => Promise<void>): Promise<void> {
  const calls: string[] = [];
  const document = order();
  await withKeptWorkers(
    environment,
    scripted(calls, changes),
    async () => {
      await startRunning(environment.client, [document]);
      await work(document, calls);
      await environment.client.workflow
        .getHandle(guestWorkflowId(document.name))
        .terminate()
        .catch(() => undefined);
    },
    bundle,
  );
}

/** A backup that ends when the test says so. */
function held(): { readonly takeBackup: () => Promise<unknown>; readonly end: () => void } {
  let end = (): void => undefined;
  const over = new Promise<void>((resolve) => {
    end = resolve;
  });
  return {
    takeBackup: async () => {
      await over;
      return { id: 'b1', path: '/b', bytes: 1, takenAt: '2026-01-01T03:00:00.000Z' };
    },
    end: () => {
      end();
    },
  };
}

const isWaiting = (nights: readonly NightRecord[]): boolean => nights.some(({ state }) => state === 'waiting');

it(
  'a night that went well is known to the guest, with its backup',
  async () => {
    await withGuest({}, async (document) => {
      expect(await night(document)).toMatchObject({ state: 'done', backup: 'b1' });
      expect(await nightsOf(document)).toMatchObject([{ state: 'done', backup: 'b1' }]);
    });
  },
  PATIENCE_MS,
);

it(
  'a night that failed says why, in the UI and in the guest',
  async () => {
    await withGuest({ takeBackup: NO('BackupUnusable') }, async (document) => {
      expect(await failureOf(night(document))).toMatchObject({ type: 'BackupUnusable', message: 'BackupUnusable for the test' });
      expect(await nightsOf(document)).toMatchObject([{ state: 'failed', error: 'BackupUnusable', reason: 'BackupUnusable for the test' }]);
    });
  },
  PATIENCE_MS,
);

it(
  'a night asked for again is one backup, and whoever asked is told',
  async () => {
    const { takeBackup, end } = held();
    await withGuest({ takeBackup }, async (document, calls) => {
      const first = night(document);
      const [waiting] = await until(() => nightsOf(document), isWaiting);
      const due = waiting?.due ?? '';
      const handle = environment.client.workflow.getHandle(guestWorkflowId(document.name));
      const again: NightRequest = { due, order: document.order, answerTo: operationWorkflowId(document.name, 'nightly', 'run') };
      for (const asker of [again.answerTo, 'nobody'])
        await handle.signal<[NightRequest]>(GUEST_SIGNALS.night, { ...again, answerTo: asker });
      end();
      expect(await first).toMatchObject({ state: 'done' });
      await handle.signal<[NightRequest]>(GUEST_SIGNALS.night, again);
      expect(await nightsOf(document)).toMatchObject([{ due, state: 'done' }]);
      expect(calls.filter((name) => name === 'takeBackup')).toHaveLength(1);
    });
  },
  PATIENCE_MS,
);

it(
  'a night that comes while the one before is not done leaves a trace',
  async () => {
    const { takeBackup, end } = held();
    await withGuest({ takeBackup }, async (document) => {
      const first = night(document);
      const [waiting] = await until(() => nightsOf(document), isWaiting);
      const due = waiting?.due ?? '';
      expect(await night(document, 'next')).toMatchObject({
        state: 'overlapped',
        reason: `the backup of the night before (${due}) was not done yet`,
      });
      end();
      expect(await first).toMatchObject({ state: 'done' });
      expect((await nightsOf(document)).map(({ state }) => state)).toEqual(['done', 'overlapped']);
    });
  },
  PATIENCE_MS,
);

it(
  'a night of a guest that is on its way out is skipped, and says so',
  async () => {
    await withGuest({}, async (document) => {
      await environment.client.workflow
        .getHandle(guestWorkflowId(document.name))
        .executeUpdate(GUEST_UPDATES.operate, { args: [{ kind: 'terminate', id: 't' }] });
      expect(await night(document)).toMatchObject({ state: 'skipped', reason: 'the guest is terminating' });
    });
  },
  PATIENCE_MS,
);

it(
  'a backup that somebody cancels is a night that failed',
  async () => {
    let reached = (): void => undefined;
    const inside = new Promise<void>((resolve) => {
      reached = resolve;
    });
    const takeBackup = untilCancelled(() => {
      reached();
    });
    await withGuest({ takeBackup }, async (document) => {
      const outcome = failureOf(night(document));
      await inside;
      await environment.client.workflow.getHandle(guestWorkflowId(document.name)).executeUpdate(GUEST_UPDATES.cancel);
      expect(await outcome).toMatchObject({ type: 'Cancelled' });
      expect(await nightsOf(document)).toMatchObject([{ state: 'failed', error: 'Cancelled' }]);
    });
  },
  PATIENCE_MS,
);

it(
  'a night whose guest is terminated in the UI ends, and so does one of a guest that there is not',
  async () => {
    const { takeBackup, end } = held();
    await withGuest({ takeBackup }, async (document) => {
      const waits = failureOf(night(document));
      await until(() => nightsOf(document), isWaiting);
      await environment.client.workflow.getHandle(guestWorkflowId(document.name)).terminate('by hand');
      const gone = {
        type: 'NotFound',
        message: `there is no guest ${document.name} any more: its workflow is over, and no backup was taken`,
      };
      expect(await waits).toMatchObject(gone);
      expect(await failureOf(night(document, 'next'))).toMatchObject(gone);
      end();
    });
  },
  PATIENCE_MS,
);
