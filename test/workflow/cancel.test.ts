/** What cancelling, an undo that cannot finish, and a removal that fails come to, as a person at the command line sees it. Steps are scripted. */
import type { WorkflowHandle } from '@temporalio/client';
import type { TestWorkflowEnvironment } from '@temporalio/testing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Changes } from '../an-order.ts';
import { connect, type Guestflow } from '../../client/index.ts';
import { findEndpoint } from '../../client/config.ts';
import { openSession } from '../../client/session.ts';
import { BILLING, HOLD_HOSTNAME } from '../../contract/billing.ts';
import { CONTROL_QUEUE, DOM0_UPDATES, guestWorkflowId, NETWORK_UPDATES } from '../../contract/names.ts';
import type { GuestOrder, GuestPhase, GuestSpec, GuestStatus } from '../../contract/guest.ts';
import { operateFor } from '../../client/guests/operate.ts';
import { errorOf, run, type Run, type RunOptions } from '../unit/cli/run.ts';
import { FACTS } from './billing-bench.ts';
import { NO, order, scripted, until, untilCancelled } from './scripted.ts';
import { DOM0, startServer, withKeptWorkers, withWorkers, type AnyActivities } from './temporal.ts';

let environment: TestWorkflowEnvironment;
let flow: Guestflow;
beforeAll(async () => {
  environment = await startServer();
  flow = await connect({ address: environment.address });
});
afterAll(async () => {
  await flow.close();
  await environment.teardown();
});

const guestflow = (argv: readonly string[], options: RunOptions = {}): Promise<Run> =>
  run([...argv, '--address', environment.address], options);

const handleOf = ({ name }: GuestOrder): WorkflowHandle => environment.client.workflow.getHandle(guestWorkflowId(name));

const untilPhase = (document: GuestOrder, phase: GuestPhase): Promise<GuestStatus> =>
  until(
    () => flow.status(document.name),
    (status) => status.phase === phase && status.operation === undefined,
  );

/** An activity that goes on until it is cancelled, and tells when it has begun. */
function endless(): { activity: () => Promise<never>; begun: Promise<void> } {
  let tell = (): void => undefined;
  const begun = new Promise<void>((resolve) => {
    tell = resolve;
  });
  return {
    activity: untilCancelled(() => {
      tell();
    }),
    begun,
  };
}

/** A guest that runs; ended without more ado when the test is over. */
async function withGuest(
  changes: AnyActivities,
  work: (document: GuestOrder, calls: string[]) => Promise<void>,
  of: Changes<GuestOrder> = {},
): Promise<void> {
  const calls: string[] = [];
  const document = order(of);
  await withKeptWorkers(environment, scripted(calls, changes), async () => {
    await flow.order(document);
    await untilPhase(document, 'running');
    calls.length = 0;
    await work(document, calls);
    await handleOf(document)
      .terminate('the test is over')
      .catch(() => undefined);
  });
}

describe('guestflow cancel', () => {
  it('of an operation that runs says that it is undone, once it is', async () => {
    const stop = endless();
    await withGuest({ stopGuest: secondTime(stop.activity) }, async ({ name }, calls) => {
      const stopping = guestflow(['stop', name, '--json']);
      await stop.begun;
      expect(await guestflow(['cancel', name])).toMatchObject({
        code: 0,
        stdout: `stop of ${name} is cancelled, and what it had done is undone\n`,
      });
      expect(errorOf(await stopping)).toMatchObject({ type: 'Cancelled' });
      expect(calls).toEqual(['disableAutostart', 'stopGuest', 'bootGuest', 'enableAutostart']);
    });
  });

  it('of an order whose undo cannot finish ends with 4 and what is left; show names it, and cleanup ends it', async () => {
    const image = endless();
    const document = order();
    const changes = {
      createImage: image.activity,
      removeImage: NO('ToolFailed'),
      leftoversOf: () => Promise.resolve(['/home/xen/domains/x']),
    };
    await withWorkers(environment, scripted([], changes), async () => {
      await flow.order(document);
      await image.begun;
      const cancelled = await guestflow(['cancel', document.name, '--json']);
      expect(cancelled.code).toBe(4);
      expect(errorOf(cancelled)).toMatchObject({ type: 'NeedsCleanup', leftovers: ['/home/xen/domains/x'] });
      const shown = await guestflow(['show', document.name]);
      expect(shown.stdout).toMatch(/needs-cleanup/);
      expect(shown.stdout).toContain('/home/xen/domains/x');
      expect((await guestflow(['cleanup', document.name, '--json'])).code).toBe(4);
    });
    await withWorkers(environment, scripted([]), async () => {
      expect(await guestflow(['cleanup', document.name])).toMatchObject({ code: 0 });
    });
  });

  it('of a removal is refused, which goes on', async () => {
    let release = (): void => undefined;
    const held = new Promise<void>((resolve) => {
      release = resolve;
    });
    await withGuest({ removeVolumes: () => held }, async (document, calls) => {
      const gone = flow.operate(document.name, 'terminate', { now: true });
      await until(
        () => Promise.resolve(calls),
        (seen) => seen.includes('removeVolumes'),
      );
      const refused = await guestflow(['cancel', document.name, '--json']);
      expect(refused.code).toBe(3);
      expect(errorOf(refused)).toMatchObject({ type: 'Busy', message: expect.stringContaining('cannot be cancelled') as string });
      release();
      expect(await gone).toMatchObject({ phase: 'gone' });
    });
  });

  it('in the UI is for what runs: whoever waits is told how that ended, also of what is asked for later', async () => {
    const stop = endless();
    await withGuest({ stopGuest: secondTime(stop.activity) }, async (document, calls) => {
      const stopping = flow.operate(document.name, 'stop').catch((error: unknown) => error);
      await stop.begun;
      await handleOf(document).cancel();
      expect(await stopping).toMatchObject({ type: 'Cancelled' });
      expect(calls).toEqual(['disableAutostart', 'stopGuest', 'bootGuest', 'enableAutostart']);
      expect(await flow.operate(document.name, 'backup')).toMatchObject({ backup: { path: '/b' } });
      expect(await flow.operate(document.name, 'terminate', { now: true })).toMatchObject({ phase: 'gone' });
    });
  });

  it('in the UI is heard each time', async () => {
    const stops = [endless(), endless()];
    const activities = stops.map(({ activity }) => activity);
    const stopGuest = (): Promise<unknown> => (isMade ? activities.shift()?.() : undefined) ?? Promise.resolve({ how: 'shut down' });
    let isMade = false;
    await withGuest({ stopGuest }, async (document) => {
      isMade = true;
      for (const stop of stops) {
        const stopping = flow.operate(document.name, 'stop').catch((error: unknown) => error);
        await stop.begun;
        await handleOf(document).cancel();
        expect(await stopping).toMatchObject({ type: 'Cancelled' });
        expect((await untilPhase(document, 'running')).orderedAt).toMatch(/T/);
      }
    });
  });

  it('in the UI does not stop a removal, not even one that begins in the same task', async () => {
    const backup = endless();
    const document = order();
    const takeBackup = secondTime(backup.activity, { id: 'b1', path: '/b', bytes: 10 });
    const { removal, running } = await withWorkers(environment, scripted([], { takeBackup }), async () => {
      await flow.order(document);
      await untilPhase(document, 'running');
      flow.operate(document.name, 'backup').catch(() => undefined);
      await backup.begun;
      const waits = flow.operate(document.name, 'terminate', { now: true });
      const { operation } = await until(
        () => flow.status(document.name),
        ({ queued }) => queued.includes('terminate'),
      );
      // In an object: alone, it would be awaited here.
      return { removal: waits, running: operation?.workflowId ?? '' };
    });
    // With nobody to take them up, the end of what runs and the cancel come in one task.
    await environment.client.workflow.getHandle(running).terminate('for the test');
    await until(
      () => handleOf(document).fetchHistory(),
      ({ events }) => (events ?? []).some(({ childWorkflowExecutionTerminatedEventAttributes: end }) => (end ?? undefined) !== undefined),
    );
    await handleOf(document).cancel();
    await withWorkers(environment, scripted([]), async () => {
      expect(await removal).toMatchObject({ phase: 'gone' });
    });
  });

  it("in the UI on the operation's own workflow undoes it, too", async () => {
    const stop = endless();
    await withGuest({ stopGuest: secondTime(stop.activity) }, async ({ name }, calls) => {
      const stopping = flow.operate(name, 'stop').catch((error: unknown) => error);
      await stop.begun;
      const { operation } = await flow.status(name);
      await environment.client.workflow.getHandle(operation?.workflowId ?? '').cancel();
      expect(await stopping).toMatchObject({ type: 'Cancelled' });
      expect(calls.slice(-2)).toEqual(['bootGuest', 'enableAutostart']);
    });
  });
});

describe('Cancel in the UI', () => {
  const member = { dom0: DOM0, bridge: 'xenbr0', exclude: [], addresses: [] };
  it.each<[string, object, string, unknown[], object | null]>([
    ['dom0', { host: DOM0, drained: false, promised: [] }, DOM0_UPDATES.audit, [], { orphans: [] }],
    ['network', { cidr: '192.0.2.0/24', gateway: '192.0.2.1' }, NETWORK_UPDATES.join, [{ gateway: '192.0.2.1', members: [member] }], null],
    ['billingOrder', { order: 'o', guest: 'g' }, BILLING.acknowledge, [], { order: 'o' }],
  ])('on a workflow of type %s, which keeps books, changes nothing: it goes on to answer', async (type, input, update, said, answer) => {
    const nothing = {
      dom0Facts: () => Promise.resolve(FACTS),
      observe: () => Promise.resolve(undefined),
      claims: () => Promise.resolve([]),
    };
    await withKeptWorkers(environment, { ...scripted([]), ...nothing, audit: () => Promise.resolve([]) }, async () => {
      const where = { workflowId: `books-${type}`, taskQueue: CONTROL_QUEUE };
      const books = await environment.client.workflow.start(type, { args: [input], ...where });
      await books.cancel();
      const given = await books.executeUpdate<unknown, [unknown]>(update, { args: said as [unknown] });
      if (answer === null) expect(given ?? null).toBeNull();
      else expect(given).toMatchObject(answer);
      expect(given ?? {}).not.toHaveProperty('problem');
      expect((await books.describe()).status.name).toBe('RUNNING');
      await books.terminate('the test is over');
    });
  });

  it('on a host name that is held does not let go of it', async () => {
    await withKeptWorkers(environment, scripted([]), async () => {
      const args = [{ hostname: 'a.example', order: 'o' }];
      const hold = await environment.client.workflow.start('holdHostname', { args, workflowId: 'hold', taskQueue: CONTROL_QUEUE });
      await hold.cancel();
      // By its answer it has seen the cancel, which a signal in the same task would come before.
      await hold.query('__stack_trace');
      await hold.signal(HOLD_HOSTNAME.release);
      await hold.result();
      expect((await hold.describe()).status.name).toBe('COMPLETED');
    });
  });
});

describe('Ctrl-C while an operation is waited for', () => {
  it.each<[string, string[], RunOptions, string, boolean]>([
    ['leaves it running where nobody is there to ask', [], {}, 'goes on', false],
    ['leaves it running where --on-interrupt says so', ['--on-interrupt', 'leave'], {}, 'goes on', false],
    ['cancels it where --on-interrupt says so', ['--on-interrupt', 'cancel'], {}, 'was cancelled, and what it had done is undone', true],
    ['cancels it where a person says so', [], { isTTY: true, input: 'c\n' }, 'was cancelled, and what it had done is undone', true],
    ['leaves it running where a person says so', [], { isTTY: true, input: 'l\n' }, 'goes on', false],
  ])('%s', async (_what, flags, options, said, isUndone) => {
    const stop = endless();
    await withGuest({ stopGuest: secondTime(stop.activity) }, async ({ name }) => {
      const interrupt = new AbortController();
      const stopping = guestflow(['stop', name, ...flags], { ...options, interrupt: interrupt.signal });
      await stop.begun;
      interrupt.abort();
      const { code, stderr } = await stopping;
      expect(code).toBe(130);
      expect(stderr).toContain(said);
      expect((await flow.status(name)).operation === undefined).toBe(isUndone);
    });
  });

  it('does not cancel what another has asked for, and says what its own waits for', async () => {
    const stop = endless();
    await withGuest({ stopGuest: secondTime(stop.activity) }, async ({ name }) => {
      const stopping = flow.operate(name, 'stop').catch((error: unknown) => error);
      await stop.begun;
      const interrupt = new AbortController();
      const backup = guestflow(['backup', name, '--on-interrupt', 'cancel'], { interrupt: interrupt.signal });
      await until(
        () => flow.status(name),
        ({ queued }) => queued.includes('backup'),
      );
      interrupt.abort();
      expect((await backup).stderr).toContain(`backup of ${name} waits behind stop`);
      expect((await flow.status(name)).operation?.kind).toBe('stop');
      await flow.cancel(name);
      expect(await stopping).toMatchObject({ type: 'Cancelled' });
    });
  });
});

describe('an undo that could not finish', () => {
  it('of a guest that lives on stays in sight until the same operation has succeeded', async () => {
    let isBroken = true;
    const enableAutostart = (): Promise<unknown> => (isBroken ? NO('ToolFailed')() : Promise.resolve({ link: 'l' }));
    const stopGuest = (): Promise<unknown> => (isBroken ? NO('ToolFailed')() : Promise.resolve({ how: 'shut down' }));
    isBroken = false;
    await withGuest({ enableAutostart, stopGuest }, async ({ name }) => {
      isBroken = true;
      const failed = await guestflow(['stop', name, '--json']);
      expect(failed.code).toBe(4);
      expect(errorOf(failed).message).toContain('Ask for it again when the cause is mended');
      expect(await flow.status(name)).toMatchObject({
        phase: 'running',
        leftovers: [expect.stringContaining('undo of autostart') as string],
      });
      await flow.operate(name, 'backup');
      expect((await flow.status(name)).leftovers).toHaveLength(1);
      isBroken = false;
      await flow.operate(name, 'stop');
      expect(await flow.status(name)).toMatchObject({ phase: 'stopped', leftovers: [] });
      expect((await flow.status(name)).error).toBeUndefined();
    });
  });
});

describe('an order that came to nothing', () => {
  it.each(['failed, and was undone', 'was terminated in the UI'])('because it %s, is tried anew when it is given again', async (how) => {
    const document = order();
    const image = endless();
    const first = how.startsWith('failed') ? NO('ToolFailed') : image.activity;
    const before = await withWorkers(environment, scripted([], { createImage: first }), async () => {
      const answer = await flow.order(document);
      if (how.startsWith('failed')) await untilPhase(document, 'failed');
      else {
        await image.begun;
        await handleOf(document).terminate('for the test');
      }
      return answer;
    });
    await withWorkers(environment, scripted([]), async () => {
      const again = await flow.order(document);
      expect(again.runId).not.toBe(before.runId);
      expect(await flow.order(document)).toEqual(again);
      await untilPhase(document, 'running');
      await handleOf(document).terminate('the test is over');
    });
  });
});

describe('a removal that fails', () => {
  it('at the end of a grace period is cleaned up without the backups that the order keeps', async () => {
    let isBroken = true;
    const removeVolumes = (): Promise<unknown> => (isBroken ? NO('ToolFailed')() : Promise.resolve(undefined));
    await withGuest(
      { removeVolumes },
      async (document, calls) => {
        expect((await guestflow(['terminate', document.name, '--json'])).code).toBe(4);
        await untilPhase(document, 'needs-cleanup');
        isBroken = false;
        calls.length = 0;
        await flow.operate(document.name, 'cleanup');
        expect(calls).not.toContain('removeBackups');
        expect(await flow.status(document.name)).toMatchObject({ phase: 'gone', backupsUntil: expect.any(String) as string });
      },
      { life: { graceDays: 0 }, backup: { keepBackupsDays: 30 } },
    );
  });
});

describe('an undelete that fails', () => {
  it('after the end of the grace period leaves a day to try again', async () => {
    let tries = 0;
    const bringBackVolumes = async (): Promise<unknown> => {
      tries += 1;
      if (tries > 1) return undefined;
      // Longer than the grace period.
      await new Promise((resolve) => {
        setTimeout(resolve, 3_000);
      });
      return NO('ToolFailed')();
    };
    await withGuest(
      { bringBackVolumes },
      async ({ name }) => {
        await flow.operate(name, 'terminate');
        await expect(flow.operate(name, 'undelete')).rejects.toMatchObject({ type: 'ToolFailed' });
        const { phase, graceUntil } = await flow.status(name);
        expect(phase).toBe('terminating');
        expect(Date.parse(graceUntil ?? '') - Date.now()).toBeGreaterThan(23 * 3_600_000);
        expect(await flow.operate(name, 'undelete')).toMatchObject({ phase: 'running' });
      },
      { life: { graceDays: 2 / 86_400 } },
    );
  });
});

describe('a smaller plan', () => {
  it('gives back what it needs no more when the guest has let go of it; its undo is refused nothing', async () => {
    const promises: { memoryBytes: number; vcpus: number; restores: boolean }[] = [];
    const changeReservation = ({ size: { memoryBytes, vcpus } }: GuestSpec, restores = false): Promise<void> => {
      promises.push({ memoryBytes, vcpus, restores });
      return Promise.resolve();
    };
    let failures = 0;
    const fixCfg = (): Promise<unknown> => {
      failures -= 1;
      return failures === 0 ? NO('ToolFailed')() : Promise.resolve({ path: '/x', changed: [], sha256: '' });
    };
    await withGuest(
      { changeReservation, fixCfg },
      async ({ name, size: { diskBytes } }) => {
        const change = { plan: 'tiny', memoryBytes: 2 ** 28, vcpus: 3, diskBytes, mayRestart: true };
        await flow.operate(name, 'changePlan', { change });
        const larger = { memoryBytes: 2 ** 30, vcpus: 3, restores: false };
        expect(promises).toEqual([larger, { memoryBytes: 2 ** 28, vcpus: 3, restores: false }]);
        promises.length = 0;
        failures = 1;
        await expect(flow.operate(name, 'changePlan', { change: { ...change, vcpus: 1 } })).rejects.toThrow();
        expect(promises).toEqual([
          { memoryBytes: 2 ** 28, vcpus: 3, restores: false },
          { memoryBytes: 2 ** 28, vcpus: 3, restores: true },
        ]);
      },
      { size: { memoryBytes: 2 ** 30, vcpus: 2 } },
    );
  });
});

describe('an operation that ended because its dom0 was away', () => {
  it('has failed for whoever asks by the same id: it is not waited for any more', async () => {
    await withGuest({ destroyGuest: NO('Unreachable') }, async ({ name }) => {
      const session = await openSession(await findEndpoint({ address: environment.address }));
      try {
        const request = { kind: 'destroy', id: 'billing-1' } as const;
        await expect(flow.operate(name, 'destroy', { id: request.id })).rejects.toMatchObject({ type: 'Unreachable' });
        expect(await operateFor(session, name, request, 3_000)).toMatchObject({ state: 'failed', type: 'Unreachable' });
      } finally {
        await session.close();
      }
    });
  });
});

/** A step that goes on without end. The one before it is its provisioning's. */
function secondTime(endlessly: () => Promise<never>, first: unknown = { how: 'shut down' }): () => Promise<unknown> {
  let calls = 0;
  return () => {
    calls += 1;
    return calls === 2 ? endlessly() : Promise.resolve(first);
  };
}
