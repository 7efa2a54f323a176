/** What the guest workflow promises, whatever its steps do. Steps are scripted; the server and the workers are real. */
import type { TestWorkflowEnvironment } from '@temporalio/testing';
import { ApplicationFailure } from '@temporalio/common';
import { WithStartWorkflowOperation, WorkflowFailedError, WorkflowUpdateFailedError, type WorkflowHandle } from '@temporalio/client';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { CONTROL_QUEUE, GUEST_UPDATES, guestWorkflowId, QUERIES, WORKFLOWS } from '../../contract/names.ts';
import type { GuestOrder, GuestSpec, GuestStatus, OrderAnswer } from '../../contract/guest.ts';
import type { OperationRequest, OperationResult } from '../../contract/guest-requests.ts';
import type { GuestRun } from '../../workflows/guest/guest.ts';
import { rootFailure } from '../../workflows/saga/operation.ts';
import { NETWORK, NO, order, scripted, until, untilCancelled } from './scripted.ts';
import { startServer, withKeptWorkers, withWorkers } from './temporal.ts';

let environment: TestWorkflowEnvironment;
beforeAll(async () => {
  environment = await startServer();
});
afterAll(async () => {
  await environment.teardown();
});

async function place(document: GuestOrder, how: Pick<GuestRun, 'adopts'> = {}): Promise<OrderAnswer> {
  const start = new WithStartWorkflowOperation<(input: GuestRun) => Promise<void>>(WORKFLOWS.guest, {
    workflowId: guestWorkflowId(document.name),
    taskQueue: CONTROL_QUEUE,
    args: [{ order: document, ...how }],
    workflowIdConflictPolicy: 'USE_EXISTING',
    workflowIdReusePolicy: 'ALLOW_DUPLICATE_FAILED_ONLY',
  });
  return environment.client.workflow.executeUpdateWithStart<(input: GuestRun) => Promise<void>, OrderAnswer, [GuestOrder]>(
    GUEST_UPDATES.order,
    { args: [document], startWorkflowOperation: start },
  );
}

function handleOf(document: GuestOrder): WorkflowHandle {
  return environment.client.workflow.getHandle(guestWorkflowId(document.name));
}

async function statusOf(document: GuestOrder): Promise<GuestStatus> {
  return handleOf(document).query<GuestStatus>(QUERIES.status);
}

async function operate(document: GuestOrder, kind: string, id = kind, more: Partial<OperationRequest> = {}): Promise<OperationResult> {
  return handleOf(document).executeUpdate<OperationResult, [unknown]>(GUEST_UPDATES.operate, {
    args: [{ kind, id, ...more }],
    updateId: id,
  });
}

/** Its order is done, and its first backup is taken. */
function isRunning({ phase, firstBackupAt, operation }: GuestStatus): boolean {
  return phase === 'running' && firstBackupAt === undefined && operation === undefined;
}

/** Ends the entity that a test leaves running. */
async function end(document: GuestOrder): Promise<void> {
  await handleOf(document).terminate('the test is over');
}

async function failureOf(work: Promise<unknown>): Promise<{ type: string; message: string; details: object }> {
  try {
    await work;
  } catch (error) {
    return rootFailure(error instanceof WorkflowFailedError || error instanceof WorkflowUpdateFailedError ? error.cause : error);
  }
  throw new Error('it did not fail');
}

/** A boot that succeeds, but for the next one after `failNext`. */
function bootsThatCanFail(): { readonly failNext: () => void; readonly activities: { readonly bootGuest: () => Promise<unknown> } } {
  let isFailing = false;
  const bootGuest = (): Promise<unknown> => {
    if (!isFailing) return Promise.resolve({ domainId: 1, seconds: 1, rootDevice: '', kernel: '' });
    isFailing = false;
    return NO('GuestDidNotAnswer')();
  };
  return {
    failNext: () => {
      isFailing = true;
    },
    activities: { bootGuest },
  };
}

describe('guest', () => {
  it('takes an order through the steps of the how-to, in their order', async () => {
    const calls: string[] = [];
    const document = order();
    await withKeptWorkers(environment, scripted(calls), async () => {
      await place(document);
      const status = await until(() => statusOf(document), isRunning);
      expect(status.golden).toEqual({ dist: 'bookworm', createdAt: '2026-01-01' });
      expect(status.backups).toHaveLength(1);
      expect(status.spec?.network.ip).toBe(NETWORK.ip);
      await end(document);
    });
    expect(calls).toEqual([
      'reserve',
      'planGuest',
      'ensureGolden',
      'createImage',
      'fixCfg',
      'bootGuest',
      'setWallclock',
      'stopGuest',
      'makeVolumes',
      'fixCfg',
      'bootGuest',
      'dropImage',
      'fixCfg',
      'enableAutostart',
      'sealGuest',
      'scheduleNightly',
      'takeBackup',
      'listBackups',
      'pruneBackups',
    ]);
  });

  it('takes an order by the recipe direct to its volumes before its first boot, which is its only one', async () => {
    const calls: string[] = [];
    const document = order({ os: { recipe: 'direct' } });
    await withKeptWorkers(environment, scripted(calls), async () => {
      await place(document);
      const status = await until(() => statusOf(document), isRunning);
      expect(status.backups).toHaveLength(1);
      await end(document);
    });
    expect(calls).toEqual([
      'reserve',
      'planGuest',
      'ensureGoldenRoot',
      'makeGoldenVolumes',
      'fixCfg',
      'bootGuest',
      'setWallclock',
      'fixCfg',
      'enableAutostart',
      'sealGuest',
      'scheduleNightly',
      'takeBackup',
      'listBackups',
      'pruneBackups',
    ]);
  });

  it('runs though its first backup failed, says so and when it is tried again, and has no such time once it has a backup', async () => {
    const document = order();
    let tries = 0;
    const takeBackup = (): Promise<unknown> => {
      tries += 1;
      return tries === 1 ? NO('BackupUnusable')() : Promise.resolve({ id: 'b2', path: '/b', bytes: 10 });
    };
    await withKeptWorkers(environment, scripted([], { takeBackup }), async () => {
      await place(document);
      const status = await until(
        () => statusOf(document),
        ({ warnings }) => warnings.length > 0,
      );
      expect(status).toMatchObject({ phase: 'running', backups: [], error: { type: 'BackupUnusable' } });
      expect(status.warnings).toEqual([expect.stringContaining(`the next attempt is at ${status.firstBackupAt ?? 'no time'}`)]);
      expect(await operate(document, 'backup')).toMatchObject({ phase: 'running' });
      expect(await statusOf(document)).not.toHaveProperty('firstBackupAt');
      await end(document);
    });
  });

  it('takes its first backup later when something else is asked of it meanwhile', async () => {
    const calls: string[] = [];
    const document = order();
    let reached = (): void => undefined;
    const isTaken = new Promise<void>((resolve) => {
      reached = resolve;
    });
    const takeBackup = untilCancelled(() => reached());
    await withKeptWorkers(environment, scripted(calls, { takeBackup }), async () => {
      await place(document);
      await isTaken;
      expect(await operate(document, 'stop')).toMatchObject({ phase: 'stopped' });
      expect(await statusOf(document)).toMatchObject({ phase: 'stopped', backups: [], firstBackupAt: expect.any(String) as string });
      expect(calls.slice(calls.indexOf('takeBackup'))).toEqual(['takeBackup', 'undoBackup', 'disableAutostart', 'stopGuest']);
      await end(document);
    });
  });

  it('has a golden root file system made anew that turns out to be damaged', async () => {
    const calls: string[] = [];
    const document = order({ os: { recipe: 'direct' } });
    let tries = 0;
    const changes = {
      makeGoldenVolumes: () => {
        tries += 1;
        if (tries === 1) return Promise.reject(ApplicationFailure.retryable('it is damaged, and was given up', 'ToolFailed'));
        if (tries === 2) return Promise.reject(ApplicationFailure.nonRetryable('there is none', 'NotFound'));
        return Promise.resolve({ root: 'r', swap: 's', copiedBytes: 1 });
      },
    };
    await withKeptWorkers(environment, scripted(calls, changes), async () => {
      await place(document);
      await until(() => statusOf(document), isRunning);
      await end(document);
    });
    expect(calls.slice(2, 7)).toEqual([
      'ensureGoldenRoot',
      'makeGoldenVolumes',
      'makeGoldenVolumes',
      'ensureGoldenRoot',
      'makeGoldenVolumes',
    ]);
  });

  it('makes a guest of a backup of another one without an image; if that fails, only what was made is undone', async () => {
    const calls: string[] = [];
    const origin = { guest: 'first', order: 'order-first', backup: '20260101T020000Z' };
    await withKeptWorkers(environment, scripted(calls), async () => {
      const document = order({ origin });
      await place(document);
      const status = await until(() => statusOf(document), isRunning);
      expect(status.spec?.origin).toEqual(origin);
      await end(document);
    });
    expect(calls.slice(0, calls.indexOf('bootGuest') + 2)).toEqual([
      'reserve',
      'planGuest',
      'restoreVolumes',
      'fixCfg',
      'bootGuest',
      'setWallclock',
    ]);
    calls.length = 0;
    await withKeptWorkers(environment, scripted(calls, { restoreVolumes: NO('NoCapacity') }), async () => {
      const document = order({ origin });
      await place(document);
      expect(await failureOf(handleOf(document).result())).toMatchObject({ type: 'NoCapacity' });
    });
    expect(calls.slice(calls.indexOf('restoreVolumes') + 1)).toEqual(['removeVolumes', 'removeGuestState', 'release']);
  });

  it('gets another address when something answers at the first; one that the order named is refused', async () => {
    const calls: string[] = [];
    const taken = (): Error =>
      ApplicationFailure.create({
        type: 'InvalidInput',
        nonRetryable: true,
        message: 'ip is taken: something answers',
        details: [{ field: 'ip' }],
      });
    let probes = 0;
    const planGuest = (input: { order: GuestOrder; lease: object }): Promise<unknown> => {
      probes += 1;
      return probes === 2
        ? Promise.resolve({ ...input.order, network: { ...input.lease, mac: '00:16:3E:00:00:01' } })
        : Promise.reject(taken());
    };
    const nextAddress = (): Promise<unknown> => Promise.resolve({ ...NETWORK, ip: '192.0.2.11' });
    await withKeptWorkers(environment, scripted(calls, { planGuest, nextAddress }), async () => {
      const document = order({ hostname: 'shop.example.org' });
      await place(document);
      // Before anything of it is planned.
      expect(await statusOf(document)).toMatchObject({ hostname: 'shop.example.org' });
      const status = await until(() => statusOf(document), isRunning);
      expect(calls.slice(0, 4)).toEqual(['reserve', 'planGuest', 'nextAddress', 'planGuest']);
      expect(status.spec?.network.ip).toBe('192.0.2.11');
      await end(document);
      const named = order({ network: { ip: NETWORK.ip } });
      calls.length = 0;
      await place(named);
      expect(await failureOf(handleOf(named).result())).toMatchObject({ type: 'InvalidInput', details: { field: 'ip' } });
      expect(calls).not.toContain('nextAddress');
      expect(calls).toContain('release');
    });
  });

  it('undoes in reverse what was begun when a step fails, and the caller gets the original error', async () => {
    const calls: string[] = [];
    const document = order();
    await withKeptWorkers(environment, scripted(calls, { makeVolumes: NO('NoCapacity') }), async () => {
      await place(document);
      const failure = await failureOf(handleOf(document).result());
      expect(failure).toMatchObject({ type: 'NoCapacity', message: 'NoCapacity for the test', details: { step: 'lvm-migration' } });
    });
    expect(calls.slice(calls.indexOf('makeVolumes') + 1)).toEqual([
      'destroyGuest',
      'removeVolumes',
      'destroyGuest',
      'removeCfg',
      'removeImage',
      'discardHalfGolden',
      'removeGuestState',
      'release',
    ]);
  });

  it('gives the same answer to the same order, and refuses another order of that name', async () => {
    const document = order();
    await withKeptWorkers(environment, scripted([]), async () => {
      const first = await place(document);
      const second = await place(document);
      expect(second).toEqual(first);
      expect(await failureOf(place({ ...document, order: 'another' }))).toMatchObject({ type: 'NotOurs' });
      expect(await failureOf(place({ ...document, size: { ...document.size, memoryBytes: 2 ** 40 } }))).toMatchObject({
        type: 'InvalidInput',
      });
      await end(document);
    });
  });

  it('frees the name when an order failed and was undone', async () => {
    const document = order();
    await withWorkers(environment, scripted([], { createImage: NO('ToolFailed') }), async () => {
      await place(document);
      await failureOf(handleOf(document).result());
    });
    await withWorkers(environment, scripted([]), async () => {
      await place({ ...document, order: 'second-try' });
      const status = await until(() => statusOf(document), isRunning);
      expect(status.order).toBe('second-try');
      await end(document);
    });
  });

  it('needs cleanup, with a list of what is left, when an undo cannot finish; cleanup ends it', async () => {
    const document = order();
    await withWorkers(
      environment,
      scripted([], {
        bootGuest: NO('GuestDidNotAnswer'),
        removeImage: NO('ToolFailed'),
        leftoversOf: () => Promise.resolve(['/home/xen/domains/x']),
        schedulesLeft: () => Promise.resolve(['schedule nightly/x']),
      }),
      async () => {
        await place(document);
        const status = await until(
          () => statusOf(document),
          ({ phase }) => phase === 'needs-cleanup',
        );
        expect(status.leftovers).toEqual(['/home/xen/domains/x', 'schedule nightly/x']);
        expect(await failureOf(operate(document, 'backup'))).toMatchObject({ type: 'Busy' });
        expect(await failureOf(operate(document, 'cleanup', 'first'))).toMatchObject({ type: 'NeedsCleanup' });
      },
    );
    await withWorkers(environment, scripted([]), async () => {
      expect(await operate(document, 'cleanup', 'second')).toMatchObject({ phase: 'failed' });
      await failureOf(handleOf(document).result());
    });
  });

  it('lists the Schedule of its nights as left when it cannot be deleted', async () => {
    const calls: string[] = [];
    const document = order();
    const changes = {
      scheduleNightly: NO('ToolFailed'),
      unscheduleNightly: NO('ToolFailed'),
      schedulesLeft: () => Promise.resolve(['schedule x']),
    };
    await withWorkers(environment, scripted(calls, changes), async () => {
      await place(document);
      const status = await until(
        () => statusOf(document),
        ({ phase }) => phase === 'needs-cleanup',
      );
      expect(status.leftovers).toEqual(['schedule x']);
      expect(status.error?.message).toContain('undo of nightly-backup: ToolFailed for the test');
    });
    expect(calls.slice(calls.indexOf('scheduleNightly') + 1).slice(0, 2)).toEqual(['unscheduleNightly', 'disableAutostart']);
    await withWorkers(environment, scripted([]), async () => {
      expect(await operate(document, 'cleanup')).toMatchObject({ phase: 'failed' });
      await failureOf(handleOf(document).result());
    });
  });

  it.each(['update', 'Cancel in the UI'])('is undone when it is cancelled by %s', async (how) => {
    const calls: string[] = [];
    const document = order();
    let reached = (): void => undefined;
    const inside = new Promise<void>((resolve) => {
      reached = resolve;
    });
    const createImage = untilCancelled(() => {
      reached();
    });
    await withKeptWorkers(environment, scripted(calls, { createImage }), async () => {
      await place(document);
      await inside;
      if (how === 'update') expect(await handleOf(document).executeUpdate(GUEST_UPDATES.cancel)).toEqual({ cancelled: 'provision' });
      else await handleOf(document).cancel();
      expect(await failureOf(handleOf(document).result())).toMatchObject({ type: 'Cancelled' });
    });
    expect(calls.slice(-4)).toEqual(['removeImage', 'discardHalfGolden', 'removeGuestState', 'release']);
  });

  it('a backup is done though others cannot be pruned; those that are pruned are not in its list any more', async () => {
    const calls: string[] = [];
    const document = order();
    let taken = 0;
    const takeBackup = (): Promise<unknown> => {
      taken += 1;
      return Promise.resolve({ id: taken === 1 ? '20260101T020000Z' : `b${String(taken)}`, path: '/b', bytes: 10 });
    };
    let lists = 0;
    const listed = scripted([])['listBackups'];
    const listBackups = (): Promise<unknown> => {
      lists += 1;
      return lists <= 2 ? NO('ToolFailed')() : (listed as () => Promise<unknown>)();
    };
    await withKeptWorkers(environment, scripted(calls, { takeBackup, listBackups }), async () => {
      await place(document);
      await until(() => statusOf(document), isRunning);
      const ids = async (): Promise<string[]> => (await statusOf(document)).backups.map(({ id }) => id);
      expect(await operate(document, 'backup', 'one')).not.toHaveProperty('pruned');
      expect(await ids()).toEqual(['20260101T020000Z', 'b2']);
      expect(await operate(document, 'backup', 'two')).toMatchObject({ pruned: { removed: ['20260101T020000Z'], kept: 1 } });
      expect(await ids()).toEqual(['b2', 'b3']);
      expect(await operate(document, 'prune', 'three')).toMatchObject({ phase: 'running', pruned: { freedBytes: 10 } });
      await operate(document, 'terminate', 'end', { now: true });
      await handleOf(document).result();
    });
    expect(calls.filter((name) => name.endsWith('Backups')).slice(0, 5)).toEqual([
      ...['listBackups', 'listBackups', 'listBackups', 'pruneBackups', 'listBackups'],
    ]);
  });

  it('has a backup protected once, and left to retention again', async () => {
    const calls: string[] = [];
    const document = order();
    const listed = (await (scripted([])['listBackups'] as () => Promise<{ backups: { id: string }[] }>)()).backups;
    let isThere = false;
    const listBackups = (): Promise<unknown> =>
      Promise.resolve({
        backups: listed.map((backup, index) => ({ ...backup, ...(index === 0 && isThere ? { isProtected: true } : {}) })),
        damaged: [],
      });
    const setProtected = ({ id, isProtected }: { id: string; isProtected: boolean }): Promise<unknown> => {
      isThere = isProtected;
      return Promise.resolve({ ...listed.find((backup) => backup.id === id), ...(isProtected ? { isProtected } : {}) });
    };
    await withKeptWorkers(environment, scripted(calls, { listBackups, setProtected }), async () => {
      await place(document);
      await until(() => statusOf(document), isRunning);
      const backup = '20260101T020000Z';
      expect(await operate(document, 'protect', 'one', { backup })).toMatchObject({ backup: { id: backup, isProtected: true } });
      expect(await operate(document, 'protect', 'two', { backup })).toMatchObject({ backup: { id: backup, isProtected: true } });
      expect((await statusOf(document)).backups[0]).toMatchObject({ id: backup, isProtected: true });
      expect(await operate(document, 'unprotect', 'three', { backup })).toMatchObject({ backup: { id: backup, state: 'verified' } });
      expect((await statusOf(document)).backups.filter(({ isProtected }) => isProtected === true)).toEqual([]);
      expect(await failureOf(operate(document, 'protect', 'four', { backup: '20250101T020000Z' }))).toMatchObject({ type: 'NotFound' });
      await operate(document, 'terminate', 'end', { now: true });
      await handleOf(document).result();
    });
    expect(calls.filter((name) => name === 'setProtected')).toHaveLength(2);
  });

  it('is restored, and gets its former disk back; what it takes beside is reserved as long as it is there', async () => {
    const calls: string[] = [];
    const reserved: number[] = [];
    const document = order();
    const changeReservation = (spec: GuestSpec): Promise<void> => {
      reserved.push(spec.size.diskBytes / document.size.diskBytes);
      return Promise.resolve();
    };
    await withWorkers(environment, scripted(calls, { changeReservation }), async () => {
      await place(document);
      await until(() => statusOf(document), isRunning);
      expect(await operate(document, 'restore', 'one', { backup: '20260101T020000Z' })).toMatchObject({
        phase: 'running',
        kept: { role: 'former', backup: '20260101T020000Z' },
      });
      await expect(operate(document, 'restore', 'two')).rejects.toThrow();
      const from = calls.indexOf('disableAutostart');
      expect(calls.slice(from - 5, from)).toEqual(['listBackups', 'changeReservation', 'settleDisks', 'dropDisk', 'fillRestored']);
      expect(calls.slice(from)).toEqual([
        'disableAutostart',
        'stopGuest',
        'exchangeDisks',
        'recogniseGuest',
        'bootGuest',
        'enableAutostart',
      ]);
      await operate(document, 'undoRestore', 'three');
      await expect(operate(document, 'undoRestore', 'four')).rejects.toThrow();
      expect((await statusOf(document)).kept).toMatchObject({ role: 'restored' });
      await operate(document, 'keepRestored', 'five');
      expect((await statusOf(document)).kept).toBeUndefined();
      expect(calls.slice(-3)).toEqual(['dropDisk', 'dropDisk', 'changeReservation']);
      await operate(document, 'terminate', 'end', { now: true });
      await handleOf(document).result();
    });
    expect(reserved).toEqual([2, 1]);
  });

  it('gets a new system, is what it was again when that does not answer, and by its undo; one that is off is started', async () => {
    const calls: string[] = [];
    const document = order();
    let isFailing = true;
    const bootGuest = (): Promise<unknown> => {
      if (calls.includes('fillReinstalled') && isFailing) {
        isFailing = false;
        return NO('GuestDidNotAnswer')();
      }
      return Promise.resolve({ seconds: 1, kernel: '6.1.0' });
    };
    await withKeptWorkers(environment, scripted(calls, { bootGuest }), async () => {
      await place(document);
      await until(
        () => statusOf(document),
        ({ phase }) => phase === 'running',
      );
      const { spec } = await statusOf(document);
      const reinstall = { dist: 'trixie', sshKeys: ['ssh-ed25519 AAAA'] };
      calls.length = 0;
      expect(await failureOf(operate(document, 'reinstall', 'fails', { reinstall }))).toMatchObject({
        type: 'GuestDidNotAnswer',
        details: { undone: ['start', 'exchange', 'stop', 'autostart-off', 'disk', 'golden-root', 'reserve'] },
      });
      expect((await statusOf(document)).spec).toEqual(spec);
      await operate(document, 'stop');
      calls.length = 0;
      expect(await operate(document, 'reinstall', 'goes well', { reinstall })).toMatchObject({
        phase: 'running',
        kept: { role: 'former' },
      });
      expect(calls).toEqual([
        ...['changeReservation', 'ensureGoldenRoot', 'settleDisks', 'dropDisk', 'fillReinstalled', 'stopGuest'],
        ...['exchangeDisks', 'recogniseGuest', 'bootGuest', 'enableAutostart', 'sealGuest'],
      ]);
      expect((await statusOf(document)).spec).toMatchObject({ os: { dist: 'trixie' }, access: { sshKeys: reinstall.sshKeys } });
      expect((await statusOf(document)).golden).toEqual({ dist: 'trixie', createdAt: '2026-01-01' });
      expect((await failureOf(operate(document, 'reinstall', 'again', { reinstall }))).message).toMatch(
        /its disk of before its reinstall is kept/,
      );
      expect((await failureOf(operate(document, 'restore', 'meanwhile'))).message).toMatch(/its disk of before its reinstall is kept/);
      const hostname = 'new.example.org';
      await operate(document, 'setHostname', 'renamed', { access: { hostname, how: 'offline' } });
      expect(await statusOf(document)).toMatchObject({ hostname, spec: { hostname } });
      await operate(document, 'undoRestore', 'back');
      const back = await statusOf(document);
      // The name of the new system is on its disk.
      expect([back.phase, back.spec, back.hostname]).toEqual(['running', spec, spec?.hostname]);
      // What is kept is a system that was made anew: no backup was restored.
      const system = { os: { dist: 'trixie' }, access: { sshKeys: reinstall.sshKeys }, hostname };
      expect(back.kept).toMatchObject({ role: 'restored', system, golden: { dist: 'trixie' } });
      expect(back.golden).toEqual({ dist: 'bookworm', createdAt: '2026-01-01' });
      await end(document);
    });
  });

  it('that is on its dom0 already is taken over as it is there, and lives on like any other', async () => {
    const calls: string[] = [];
    const document = order();
    await withWorkers(environment, scripted(calls), async () => {
      await place(document, { adopts: true });
      const status = await until(
        () => statusOf(document),
        ({ phase }) => phase === 'stopped',
      );
      expect(status).toMatchObject({ backups: [{ id: '20260101T020000Z' }], scheduleId: 'nightly/x', spec: { name: document.name } });
      expect(calls).toEqual(['findGuest', 'adopt', 'scheduleNightly']);
      expect(await operate(document, 'start')).toMatchObject({ phase: 'running' });
      await operate(document, 'terminate', 'end', { now: true });
      await handleOf(document).result();
    });
  });

  it('that cannot be taken over stays as it is on its dom0, and its name is free', async () => {
    const calls: string[] = [];
    const document = order();
    const changes = { scheduleNightly: NO('ToolFailed'), release: NO('ToolFailed') };
    await withWorkers(environment, scripted(calls, changes), async () => {
      await place(document, { adopts: true });
      await expect(handleOf(document).result()).rejects.toThrow();
      expect((await statusOf(document)).phase).toBe('failed');
      expect(calls).toEqual(['findGuest', 'adopt', 'scheduleNightly', 'unscheduleNightly', 'release']);
    });
  });

  it('is proven from a copy beside it, for which room is reserved as long as it is there', async () => {
    const calls: string[] = [];
    const reserved: number[] = [];
    const document = order();
    const changeReservation = (spec: GuestSpec): Promise<void> => {
      reserved.push(spec.size.memoryBytes / document.size.memoryBytes);
      return Promise.resolve();
    };
    await withWorkers(environment, scripted(calls, { changeReservation }), async () => {
      await place(document);
      await until(() => statusOf(document), isRunning);
      const from = calls.length;
      expect(await operate(document, 'prove', 'one')).toMatchObject({
        phase: 'running',
        backup: { id: '20260101T030000Z', state: 'proven', proof: { outcome: 'proven', what: 'guest login:' } },
      });
      expect(calls.slice(from)).toEqual([
        ...['listBackups', 'changeReservation', 'makeTrial', 'bootTrial', 'recordProof', 'endTrial', 'changeReservation'],
      ]);
      await operate(document, 'terminate', 'end', { now: true });
      await handleOf(document).result();
    });
    expect(reserved.map(Math.floor)).toEqual([2, 1]);
  });

  it('of which a backup cannot be restored gets another one at once, and says so', async () => {
    const calls: string[] = [];
    const document = order();
    const proofs: unknown[] = [];
    const takeBackup = (): Promise<unknown> =>
      Promise.resolve({ id: '20260101T030000Z', takenAt: '2026-01-01T03:00:00.000Z', state: 'verified' });
    const recordProof = (input: { proof: unknown }): Promise<unknown> => Promise.resolve(proofs.push(input.proof));
    await withWorkers(environment, scripted(calls, { makeTrial: NO('BackupUnusable'), takeBackup, recordProof }), async () => {
      await place(document);
      await until(() => statusOf(document), isRunning);
      await expect(operate(document, 'prove', 'one')).rejects.toThrow();
      const { backups, warnings } = await until(
        () => statusOf(document),
        (status) => status.backups.length === 2 && status.operation === undefined,
      );
      expect(backups.map(({ state }) => state)).toEqual(['unusable', 'verified']);
      expect(warnings.at(-1)).toMatch(/^backup 20260101T030000Z of \S+ is unusable: BackupUnusable for the test/);
      expect(proofs).toMatchObject([{ outcome: 'unusable' }]);
      const from = calls.indexOf('makeTrial');
      expect(calls.slice(from, from + 5)).toEqual(['makeTrial', 'endTrial', 'changeReservation', 'recordProof', 'takeBackup']);
      await operate(document, 'terminate', 'end', { now: true });
      await handleOf(document).result();
    });
  });

  it('is proven by itself when it is due, and later if its dom0 has something else to do', async () => {
    const calls: string[] = [];
    const document = order({ backup: { proveDays: 30 } });
    let busy: string | undefined = 'the load of dom0 is 9 on 2 vcpus';
    await withWorkers(environment, scripted(calls, { whyNotIdle: () => Promise.resolve(busy) }), async () => {
      await place(document);
      await until(() => statusOf(document), isRunning);
      /** Days until the next proof, after one was due. */
      const whenDue = async (): Promise<number> => {
        const { operation: _none, queued: _empty, steps: _of, ...carried } = await statusOf(document);
        await end(document);
        const due = new Date(Date.now() + 500).toISOString();
        await environment.client.workflow.start(WORKFLOWS.guest, {
          workflowId: guestWorkflowId(document.name),
          taskQueue: CONTROL_QUEUE,
          args: [{ order: document, carried: { ...carried, proveAt: due } }],
        });
        const { proveAt = '' } = await until(
          () => statusOf(document),
          ({ operation, proveAt: next }) => operation === undefined && next !== due,
        );
        return (Date.parse(proveAt) - Date.parse(due)) / 86_400_000;
      };
      const from = calls.length;
      expect(await whenDue()).toBeCloseTo(1 / 24, 2);
      busy = undefined;
      expect(await whenDue()).toBeCloseTo(30, 2);
      expect(calls.slice(from)).toEqual([
        ...['whyNotIdle', 'whyNotIdle', 'listBackups', 'changeReservation', 'makeTrial', 'bootTrial', 'recordProof', 'endTrial'],
        'changeReservation',
      ]);
      expect((await statusOf(document)).error).toBeUndefined();
      await operate(document, 'terminate', 'end', { now: true });
      await handleOf(document).result();
    });
  });

  it('keeps its disk if it does not answer from the restored one, which goes', async () => {
    const calls: string[] = [];
    const document = order();
    let boots = 0;
    const bootGuest = (): Promise<unknown> => {
      boots += 1;
      return boots === 3 ? NO('GuestDidNotAnswer')() : Promise.resolve({ seconds: 1, kernel: '6.1.0' });
    };
    await withWorkers(environment, scripted(calls, { bootGuest }), async () => {
      await place(document);
      await until(() => statusOf(document), isRunning);
      await expect(operate(document, 'restore', 'one')).rejects.toThrow();
      expect(await statusOf(document)).toMatchObject({ phase: 'running', error: { type: 'GuestDidNotAnswer' } });
      expect((await statusOf(document)).kept).toBeUndefined();
      expect(calls.slice(calls.indexOf('exchangeDisks'))).toEqual([
        ...['exchangeDisks', 'recogniseGuest', 'bootGuest', 'destroyGuest', 'exchangeDisks', 'recogniseGuest'],
        ...['bootGuest', 'enableAutostart', 'dropDisk', 'changeReservation'],
      ]);
      await operate(document, 'terminate', 'end', { now: true });
      await handleOf(document).result();
    });
  });

  it('lets a backup wait for the operation that runs, refuses a start meanwhile, and terminates at the end', async () => {
    const calls: string[] = [];
    const document = order();
    let release = (): void => undefined;
    const held = new Promise<void>((resolve) => {
      release = resolve;
    });
    let backups = 0;
    const takeBackup = async (): Promise<unknown> => {
      backups += 1;
      if (backups === 2) await held;
      return { id: `b${String(backups)}`, path: '/b', bytes: 10 };
    };
    await withKeptWorkers(environment, scripted(calls, { takeBackup }), async () => {
      await place(document);
      await until(() => statusOf(document), isRunning);
      const first = operate(document, 'backup', 'one');
      await until(
        () => Promise.resolve(backups),
        (begun) => begun === 2,
      );
      const second = operate(document, 'backup', 'two');
      expect(await failureOf(operate(document, 'stop'))).toMatchObject({ type: 'Busy' });
      expect(backups).toBe(2);
      release();
      expect((await first).backup?.id).toBe('b2');
      expect((await second).backup?.id).toBe('b3');
      expect(await operate(document, 'stop', 'later')).toMatchObject({ phase: 'stopped' });
      expect(await operate(document, 'terminate', 'end', { now: true })).toMatchObject({ phase: 'gone' });
      await handleOf(document).result();
    });
    expect(calls.slice(-8)).toEqual([
      'unscheduleNightly',
      'destroyGuest',
      'removeVolumes',
      'removeImage',
      'removeCfg',
      'removeBackups',
      'removeGuestState',
      'release',
    ]);
  });

  it('is suspended without its autostart link, resumed with it, and keeps its address', async () => {
    const calls: string[] = [];
    const document = order();
    await withKeptWorkers(environment, scripted(calls), async () => {
      await place(document);
      await until(() => statusOf(document), isRunning);
      calls.length = 0;
      expect(await operate(document, 'suspend')).toMatchObject({ phase: 'suspended' });
      expect(calls).toEqual(['disableAutostart', 'stopGuest']);
      expect(await failureOf(operate(document, 'start'))).toMatchObject({ type: 'Busy' });
      expect((await statusOf(document)).spec?.network.ip).toBe(NETWORK.ip);
      expect(await operate(document, 'resume')).toMatchObject({ phase: 'running' });
      expect(calls.slice(2)).toEqual(['bootGuest', 'enableAutostart']);
      await end(document);
    });
  });

  it('restarts with its autostart link in place; one that does not come back is started again; one that is off is refused', async () => {
    const calls: string[] = [];
    const document = order();
    const boots = bootsThatCanFail();
    await withKeptWorkers(environment, scripted(calls, boots.activities), async () => {
      await place(document);
      await until(() => statusOf(document), isRunning);
      calls.length = 0;
      expect(await operate(document, 'reboot')).toMatchObject({ kind: 'reboot', phase: 'running' });
      expect(calls).toEqual(['stopGuest', 'bootGuest']);
      calls.length = 0;
      boots.failNext();
      expect(await failureOf(operate(document, 'reboot', 'again'))).toMatchObject({
        type: 'GuestDidNotAnswer',
        details: { undone: ['stop'] },
      });
      expect(calls).toEqual(['stopGuest', 'bootGuest', 'bootGuest']);
      expect(await statusOf(document)).toMatchObject({ phase: 'running' });
      await operate(document, 'stop');
      expect(await failureOf(operate(document, 'reboot', 'of one that is off'))).toMatchObject({ type: 'Busy' });
      await end(document);
    });
  });

  it('gets another password on its disk, and its former one when it does not come back; what it is known by is the new one', async () => {
    const calls: string[] = [];
    const document = order();
    const access = { sealedPassword: { [document.dom0]: 'n'.repeat(80) } };
    const boots = bootsThatCanFail();
    await withKeptWorkers(environment, scripted(calls, boots.activities), async () => {
      await place(document);
      await until(() => statusOf(document), isRunning);
      const refused = await failureOf(operate(document, 'setPassword', 'without a word', { access }));
      expect(refused).toMatchObject({ type: 'InvalidInput', details: { field: 'how' } });
      expect(refused.message).toMatch(/runs and is sealed.*--offline stops it for that, and starts it again/);
      const elsewhere = { sealedPassword: { other: 'n'.repeat(80) }, how: 'offline' } as const;
      expect(await failureOf(operate(document, 'setPassword', 'of another', { access: elsewhere }))).toMatchObject({
        details: { field: 'password' },
      });
      calls.length = 0;
      boots.failNext();
      const offline = { access: { ...access, how: 'offline' } } as const;
      expect(await failureOf(operate(document, 'setPassword', 'fails', offline))).toMatchObject({
        type: 'GuestDidNotAnswer',
        details: { undone: ['start', 'access', 'stop', 'autostart-off'] },
      });
      expect(calls).toEqual([
        ...['disableAutostart', 'stopGuest', 'changeAccessOffline', 'bootGuest'],
        ...['destroyGuest', 'undoAccessOffline', 'bootGuest', 'enableAutostart'],
      ]);
      expect((await statusOf(document)).spec?.access).toEqual(document.access);
      calls.length = 0;
      expect(await operate(document, 'setPassword', 'goes well', offline)).toMatchObject({ kind: 'setPassword', phase: 'running' });
      expect(calls).toEqual(['disableAutostart', 'stopGuest', 'changeAccessOffline', 'bootGuest', 'enableAutostart', 'forgetAccess']);
      expect((await statusOf(document)).spec?.access).toEqual({ ...document.access, ...access });
      // The order that made it is still the same one.
      await place(document);
      await operate(document, 'stop');
      calls.length = 0;
      expect(await operate(document, 'setKeys', 'keys', { access: { sshKeys: ['ssh-ed25519 AAAA'] } })).toMatchObject({ kind: 'setKeys' });
      expect(calls).toEqual(['changeAccessOffline', 'forgetAccess']);
      expect((await statusOf(document)).spec?.access).toEqual({ ...document.access, ...access, sshKeys: ['ssh-ed25519 AAAA'] });
      expect(await operate(document, 'setHostname', 'name', { access: { hostname: 'shop.example.org' } })).toMatchObject({
        phase: 'stopped',
      });
      expect(await statusOf(document)).toMatchObject({ hostname: 'shop.example.org', spec: { hostname: 'shop.example.org' } });
      expect(await failureOf(operate(document, 'setHostname', 'no name', { access: { hostname: '-' } }))).toMatchObject({
        details: { field: 'hostname' },
      });
      expect(await failureOf(operate(document, 'setKeys', 'no word of keys', { access: {} }))).toMatchObject({
        details: { field: 'sshKeys' },
      });
      calls.length = 0;
      expect(await operate(document, 'setPassword', 'off', { access })).toMatchObject({ phase: 'stopped' });
      expect(calls).toEqual(['changeAccessOffline', 'forgetAccess']);
      await end(document);
    });
  });

  it('that is managed gets another password while it goes on; that what was kept cannot be wiped is told, and no failure', async () => {
    const calls: string[] = [];
    const document = order({ access: { managed: true } });
    const access = { sealedPassword: { [document.dom0]: 'n'.repeat(80) } };
    await withWorkers(environment, scripted(calls, { forgetAccess: NO('ToolFailed') }), async () => {
      await place(document);
      await until(() => statusOf(document), isRunning);
      calls.length = 0;
      await operate(document, 'setPassword', 'live', { access });
      expect(calls).toEqual(['changeAccessLive', 'forgetAccess', 'forgetAccess']);
      const { warnings, spec } = await statusOf(document);
      expect(warnings).toEqual([expect.stringMatching(/is still on dom0 .*, for root only/)]);
      expect(spec?.access).toMatchObject(access);
      await end(document);
    });
  });

  it('is paused, not shut down, where its order says so', async () => {
    const calls: string[] = [];
    const document = order({ life: { suspend: 'pause' } });
    await withKeptWorkers(environment, scripted(calls), async () => {
      await place(document);
      await until(() => statusOf(document), isRunning);
      calls.length = 0;
      expect(await operate(document, 'suspend')).toMatchObject({ phase: 'suspended' });
      expect(await operate(document, 'resume')).toMatchObject({ phase: 'running' });
      expect(calls).toEqual(['disableAutostart', 'pauseGuest', 'unpauseGuest', 'bootGuest', 'enableAutostart']);
      await end(document);
    });
  });

  it('refuses what waited while it went for good, and ends', async () => {
    const document = order();
    let release = (): void => undefined;
    const held = new Promise<void>((resolve) => {
      release = resolve;
    });
    let isRemoving = false;
    const removeVolumes = async (): Promise<void> => {
      isRemoving = true;
      await held;
    };
    await withKeptWorkers(environment, scripted([], { removeVolumes }), async () => {
      await place(document);
      await until(() => statusOf(document), isRunning);
      const going = operate(document, 'terminate', 'now', { now: true });
      await until(
        () => Promise.resolve(isRemoving),
        (is) => is,
      );
      const waiting = failureOf(operate(document, 'backup', 'late'));
      await until(
        () => statusOf(document),
        ({ queued }) => queued.length === 1,
      );
      release();
      expect(await going).toMatchObject({ phase: 'gone' });
      expect(await waiting).toMatchObject({ type: 'Busy', message: expect.stringContaining('the guest is gone') as string });
      await handleOf(document).result();
    });
  });

  it('keeps the backups of a guest that is gone for as long as its order says; --now keeps none', async () => {
    const calls: string[] = [];
    const document = order({ life: { graceDays: 0 }, backup: { keepBackupsDays: 2 / 86_400 } });
    const atOnce = order({ life: { graceDays: 0 }, backup: { keepBackupsDays: 30 } });
    await withKeptWorkers(environment, scripted(calls), async () => {
      await Promise.all([place(document), place(atOnce)]);
      for (const each of [document, atOnce]) await until(() => statusOf(each), isRunning);
      calls.length = 0;
      expect(await operate(document, 'terminate')).toMatchObject({ phase: 'gone' });
      expect((await statusOf(document)).backupsUntil).toEqual(expect.any(String));
      expect(calls).toContain('release');
      expect(calls).not.toContain('removeBackups');
      await handleOf(document).result();
      expect(calls).toContain('removeBackups');
      expect(await operate(atOnce, 'terminate')).toMatchObject({ phase: 'gone' });
      expect(await operate(atOnce, 'terminate', 'again')).toMatchObject({ phase: 'gone' });
      calls.length = 0;
      await operate(atOnce, 'terminate', 'now', { now: true });
      expect(calls).toContain('removeBackups');
      await handleOf(atOnce).result();
    });
  });

  it('changes its plan, or is as before when a part fails; a smaller disk is refused with numbers', async () => {
    const calls: string[] = [];
    const document = order();
    const change = { plan: 'large', memoryBytes: 2 ** 30, vcpus: 2, diskBytes: 2 ** 33, mayRestart: true };
    let grows = 0;
    const growDisk = (): Promise<unknown> => {
      grows += 1;
      return grows === 1 ? NO('ToolFailed')() : Promise.resolve(undefined);
    };
    await withKeptWorkers(environment, scripted(calls, { growDisk }), async () => {
      await place(document);
      await until(() => statusOf(document), isRunning);
      calls.length = 0;
      expect(await failureOf(operate(document, 'changePlan', 'one', { change }))).toMatchObject({ type: 'ToolFailed' });
      expect(calls).toEqual([
        'changeReservation',
        'disableAutostart',
        'stopGuest',
        'growDisk',
        'shrinkDisk',
        'bootGuest',
        'enableAutostart',
        'changeReservation',
      ]);
      expect(await statusOf(document)).toMatchObject({ phase: 'running', plan: 'small' });
      expect(await operate(document, 'changePlan', 'two', { change })).toMatchObject({ phase: 'running' });
      expect(await statusOf(document)).toMatchObject({ plan: 'large', spec: { size: { memoryBytes: 2 ** 30, diskBytes: 2 ** 33 } } });
      expect(
        await failureOf(operate(document, 'changePlan', 'three', { change: { ...change, plan: 'tiny', diskBytes: 2 ** 30 } })),
      ).toMatchObject({ type: 'InvalidInput', message: expect.stringContaining('7 GiB less') as string });
      await end(document);
    });
  });

  it('grows its disk while it runs, or off; that its file system stays as it is is told, and kept in its warnings', async () => {
    const calls: string[] = [];
    const reserved: number[] = [];
    const document = order({ access: { managed: true } });
    const { diskBytes } = document.size;
    const changeReservation = (spec: GuestSpec): Promise<void> => {
      reserved.push(spec.size.diskBytes / diskBytes);
      return Promise.resolve();
    };
    const answers: unknown[] = [{ bytes: 2 * diskBytes }, { left: 'its kernel does not follow' }];
    const growFileSystem = (): Promise<unknown> => (answers.length === 0 ? NO('ToolFailed')() : Promise.resolve(answers.shift()));
    await withKeptWorkers(environment, scripted(calls, { changeReservation, growFileSystem }), async () => {
      await place(document);
      await until(() => statusOf(document), isRunning);
      calls.length = 0;
      const live = await operate(document, 'resize', 'live', { resize: { diskBytes: 2 * diskBytes } });
      expect(live.resized).toEqual({ fromBytes: diskBytes, diskBytes: 2 * diskBytes, how: 'live', fileSystemBytes: 2 * diskBytes });
      expect(calls).toEqual(['changeReservation', 'growDiskInUse', 'growFileSystem']);
      expect(await statusOf(document)).toMatchObject({ phase: 'running', plan: 'small', spec: { size: { diskBytes: 2 * diskBytes } } });
      for (const [id, left] of [
        ['left', 'its kernel does not follow'],
        ['failed', `the file system of ${document.name} was not grown: ToolFailed for the test`],
      ] as const) {
        expect((await operate(document, 'resize', id, { resize: { diskBytes: 3 * diskBytes } })).resized).toMatchObject({ left });
        expect((await statusOf(document)).warnings).toContain(left);
      }
      calls.length = 0;
      await operate(document, 'resize', 'off', { resize: { diskBytes: 4 * diskBytes, how: 'offline' } });
      expect(calls).toEqual(['changeReservation', 'disableAutostart', 'stopGuest', 'growDisk', 'bootGuest', 'enableAutostart']);
      await operate(document, 'stop', 'stop');
      calls.length = 0;
      await operate(document, 'resize', 'stopped', { resize: { diskBytes: 5 * diskBytes } });
      expect(calls).toEqual(['changeReservation', 'growDisk']);
      expect(await statusOf(document)).toMatchObject({ phase: 'stopped', spec: { size: { diskBytes: 5 * diskBytes } } });
      await end(document);
    });
    expect(reserved).toEqual([2, 3, 3, 4, 5]);
  });

  it('makes its disk smaller after a verified backup, gives the room back last, and has its former size again if it does not answer', async () => {
    const calls: string[] = [];
    const reserved: number[] = [];
    const document = order({ size: { diskBytes: 2 ** 32 } });
    const changeReservation = (spec: GuestSpec): Promise<void> => {
      reserved.push(spec.size.diskBytes / 2 ** 30);
      return Promise.resolve();
    };
    let boots = 0;
    const bootGuest = (): Promise<unknown> => {
      boots += 1;
      return boots === 3 ? NO('GuestDidNotAnswer')() : Promise.resolve({ seconds: 1, kernel: '6.1.0' });
    };
    let backups = 0;
    const takeBackup = (): Promise<unknown> => {
      backups += 1;
      return Promise.resolve({ id: `b${String(backups)}`, state: backups === 2 ? 'taken' : 'verified' });
    };
    const resize = { diskBytes: 2 ** 31, how: 'offline' } as const;
    await withKeptWorkers(environment, scripted(calls, { changeReservation, bootGuest, takeBackup }), async () => {
      await place(document);
      await until(() => statusOf(document), isRunning);
      calls.length = 0;
      expect(await failureOf(operate(document, 'resize', 'not-verified', { resize }))).toMatchObject({ type: 'BackupUnusable' });
      expect(calls).toEqual(['tryReducing', 'takeBackup', 'undoBackup', 'undoBackup']);
      calls.length = 0;
      expect(await failureOf(operate(document, 'resize', 'silent', { resize }))).toMatchObject({ type: 'GuestDidNotAnswer' });
      expect(calls).toEqual([
        ...['tryReducing', 'takeBackup', 'disableAutostart', 'stopGuest', 'reduceDisk', 'bootGuest'],
        ...['destroyGuest', 'growDisk', 'bootGuest', 'enableAutostart', 'undoBackup', 'undoBackup'],
      ]);
      expect((await statusOf(document)).spec?.size.diskBytes).toBe(2 ** 32);
      calls.length = 0;
      expect(await operate(document, 'resize', 'smaller', { resize })).toMatchObject({
        backup: { id: 'b4' },
        resized: { fromBytes: 2 ** 32, diskBytes: 2 ** 31, how: 'offline' },
      });
      expect(calls.slice(-4)).toEqual(['reduceDisk', 'bootGuest', 'enableAutostart', 'changeReservation']);
      const { spec, backups: listed } = await statusOf(document);
      expect([spec?.size.diskBytes, listed.at(-1)?.id]).toEqual([2 ** 31, 'b4']);
      await end(document);
    });
    expect(reserved).toEqual([2]);
  });

  it('refuses another size of its disk, with numbers, before anything is changed', async () => {
    const calls: string[] = [];
    const document = order({ size: { diskBytes: 2 ** 32 } });
    await withKeptWorkers(environment, scripted(calls), async () => {
      await place(document);
      await until(() => statusOf(document), isRunning);
      calls.length = 0;
      for (const [id, resize, words] of [
        ['odd', { diskBytes: 2 ** 32 + 1 }, 'is no multiple of 4 MiB'],
        ['tiny', { diskBytes: 2 ** 20 }, 'is less than 1 GiB'],
        ['sealed', { diskBytes: 2 ** 33 }, 'runs and is sealed'],
        ['runs', { diskBytes: 2 ** 31 }, 'must be off for its disk to go from 4 GiB to 2 GiB'],
        ['live', { diskBytes: 2 ** 31, how: 'live' }, 'cannot go from 4 GiB to 2 GiB while'],
      ] as const)
        expect(await failureOf(operate(document, 'resize', id, { resize }))).toMatchObject({
          type: 'InvalidInput',
          message: expect.stringContaining(words) as string,
        });
      expect(calls).toEqual([]);
      await operate(document, 'restore', 'restore');
      const smaller = { resize: { diskBytes: 2 ** 31, how: 'offline' } } as const;
      expect(await failureOf(operate(document, 'resize', 'kept', smaller))).toMatchObject({
        type: 'Busy',
        message: expect.stringMatching(/another one, of 4 GiB, is kept .*keep-restored/) as string,
      });
      await operate(document, 'suspend', 'suspend');
      expect(await failureOf(operate(document, 'resize', 'suspended', smaller))).toMatchObject({
        type: 'Busy',
        message: expect.stringContaining('the guest is suspended') as string,
      });
      await end(document);
    });
  });

  it('changes memory and vcpus without a restart where the guest can; else at one, when that is allowed; else all is as before', async () => {
    const calls: string[] = [];
    const document = order();
    const change = { plan: 'large', memoryBytes: 2 ** 30, vcpus: 2, diskBytes: document.size.diskBytes, mayRestart: false };
    const reason = 'it was started with less room';
    const answers = [{ isDone: true }, { isDone: false, reason }, { isDone: true }, { isDone: false, reason }];
    const adjustGuest = (): Promise<unknown> => Promise.resolve(answers.shift());
    await withKeptWorkers(environment, scripted(calls, { adjustGuest }), async () => {
      await place(document);
      await until(() => statusOf(document), isRunning);
      calls.length = 0;
      expect(await operate(document, 'changePlan', 'live', { change: { ...change, maxVcpus: 4, rate: '1Gb/s' } })).toMatchObject({
        phase: 'running',
      });
      expect(calls).toEqual(['changeReservation', 'adjustGuest', 'fixCfg']);
      expect(await statusOf(document)).toMatchObject({
        plan: 'large',
        spec: { size: { memoryBytes: 2 ** 30, vcpus: 2, maxVcpus: 4, rate: '1Gb/s' } },
      });
      calls.length = 0;
      const back = { ...change, plan: 'small', memoryBytes: 2 ** 28 };
      expect(await failureOf(operate(document, 'changePlan', 'not-allowed', { change: back }))).toMatchObject({
        type: 'InvalidInput',
        message: `plan small needs a restart, which the request does not allow: ${reason}`,
      });
      expect(calls).toEqual(['changeReservation', 'adjustGuest', 'adjustGuest', 'changeReservation']);
      expect(await statusOf(document)).toMatchObject({ plan: 'large', spec: { size: { memoryBytes: 2 ** 30 } } });
      calls.length = 0;
      await operate(document, 'changePlan', 'restart', { change: { ...back, mayRestart: true } });
      expect(calls).toEqual([
        'changeReservation',
        'adjustGuest',
        'disableAutostart',
        'stopGuest',
        'fixCfg',
        'enableAutostart',
        'bootGuest',
        'changeReservation',
      ]);
      expect((await statusOf(document)).spec?.size).not.toHaveProperty('maxVcpus');
      expect((await statusOf(document)).spec?.size).not.toHaveProperty('rate');
      expect(await failureOf(operate(document, 'changePlan', 'disk', { change: { ...change, diskBytes: 2 ** 33 } }))).toMatchObject({
        type: 'InvalidInput',
        message: expect.stringContaining('needs a restart') as string,
      });
      await end(document);
    });
  });

  it('keeps what was terminated until its grace period is over: undelete brings it back, and time takes it away', async () => {
    const calls: string[] = [];
    const document = order({ life: { graceDays: 3 / 86_400 } });
    await withKeptWorkers(environment, scripted(calls), async () => {
      await place(document);
      await until(() => statusOf(document), isRunning);
      calls.length = 0;
      expect(await operate(document, 'terminate', 'one')).toMatchObject({ phase: 'terminating', graceUntil: expect.any(String) as string });
      expect(calls).toEqual(['unscheduleNightly', 'disableAutostart', 'stopGuest', 'setAsideVolumes']);
      expect(await operate(document, 'undelete')).toMatchObject({ phase: 'running' });
      calls.length = 0;
      await operate(document, 'terminate', 'two');
      await handleOf(document).result();
    });
    expect(calls.slice(4)).toEqual([
      'unscheduleNightly',
      'destroyGuest',
      'removeVolumes',
      'removeImage',
      'removeCfg',
      'removeBackups',
      'removeGuestState',
      'release',
    ]);
  });
});
