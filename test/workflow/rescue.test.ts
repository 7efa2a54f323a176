/** A guest in its rescue system and back, through the real workflows: what is undone, what is refused meanwhile, what ends it. */
import type { TestWorkflowEnvironment } from '@temporalio/testing';
import type { WorkflowHandle } from '@temporalio/client';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { GUEST_UPDATES, QUERIES } from '../../contract/names.ts';
import type { GuestOrder, GuestSpec, GuestStatus } from '../../contract/guest.ts';
import type { OperationRequest, OperationResult } from '../../contract/guest-requests.ts';
import { RESCUE_BYTES } from '../../contract/rescue.ts';
import { rootFailure } from '../../workflows/saga/operation.ts';
import { place, settled } from '../record/recording.ts';
import { NO, order, scripted } from './scripted.ts';
import { DOM0, startServer, withKeptWorkers, type AnyActivities } from './temporal.ts';

let environment: TestWorkflowEnvironment;
beforeAll(async () => {
  environment = await startServer();
});
afterAll(async () => {
  await environment.teardown();
});

const PASSWORD = { sealedPassword: { [DOM0]: 'x'.repeat(80) } };

interface Guest {
  readonly document: GuestOrder;
  readonly calls: string[];
  readonly operate: (kind: string, more?: Partial<OperationRequest>) => Promise<OperationResult>;
  /** Type and message of its failure. */
  readonly failure: (kind: string, more?: Partial<OperationRequest>) => Promise<ReturnType<typeof rootFailure>>;
  readonly status: () => Promise<GuestStatus>;
}

/** A guest that runs, with its first backup. */
async function withGuest(changes: AnyActivities, work: (guest: Guest) => Promise<void>, document = order()): Promise<void> {
  const calls: string[] = [];
  await withKeptWorkers(environment, scripted(calls, changes), async () => {
    const handle: WorkflowHandle = await place(environment, document);
    await settled(handle);
    calls.length = 0;
    let count = 0;
    const operate: Guest['operate'] = async (kind, more = {}) => {
      const id = `${kind}-${String((count += 1))}`;
      return handle.executeUpdate<OperationResult, [unknown]>(GUEST_UPDATES.operate, { args: [{ kind, id, ...more }], updateId: id });
    };
    const failure: Guest['failure'] = async (kind, more) =>
      operate(kind, more).then(
        () => {
          throw new Error(`${kind} went well`);
        },
        (error: unknown) => rootFailure((error as Error).cause),
      );
    await work({ document, calls, operate, failure, status: () => handle.query<GuestStatus>(QUERIES.status) });
    await handle.terminate('the test is over');
  });
}

describe('a guest', () => {
  it('is in its rescue system with a password of its own, keeps its own, and comes back', async () => {
    const systems: GuestSpec[] = [];
    const reserved: number[] = [];
    const changes = {
      makeRescue: (system: GuestSpec) => Promise.resolve(systems.push(system)).then(() => ({ bytes: RESCUE_BYTES })),
      changeReservation: ({ size }: GuestSpec) => Promise.resolve(void reserved.push(size.diskBytes)),
    };
    await withGuest(changes, async ({ calls, operate, status }) => {
      const { spec } = await status();
      expect(await operate('rescue', { rescue: PASSWORD })).toMatchObject({ phase: 'rescue' });
      expect(calls).toEqual(['changeReservation', 'ensureGoldenRoot', 'makeRescue', 'disableAutostart', 'stopGuest', 'bootRescue']);
      expect(systems).toMatchObject([{ hostname: `rescue-${spec?.name ?? ''}`, access: PASSWORD }]);
      expect(await status()).toMatchObject({ phase: 'rescue', rescue: { diskBytes: RESCUE_BYTES } });
      expect((await status()).spec).toEqual(spec);
      calls.length = 0;
      expect(await operate('unrescue')).toMatchObject({ phase: 'running' });
      expect(calls).toEqual(['stopGuest', 'bootGuest', 'enableAutostart', 'dropRescue', 'changeReservation']);
      const back = await status();
      expect([back.phase, back.rescue]).toEqual(['running', undefined]);
      const own = spec?.size.diskBytes ?? 0;
      expect(reserved).toEqual([own + RESCUE_BYTES, own]);
    });
  });

  it('is as it was when its rescue system does not answer: switched on again, whether it answers or not, or off', async () => {
    await withGuest({ bootRescue: NO('GuestDidNotAnswer') }, async ({ calls, operate, failure, status }) => {
      expect(await failure('rescue', { rescue: PASSWORD })).toMatchObject({
        type: 'GuestDidNotAnswer',
        details: { undone: ['start', 'stop', 'autostart', 'disk', 'golden-root', 'reserve'] },
      });
      expect(calls.slice(6)).toEqual([
        ...['destroyGuest', 'turnOnGuest', 'enableAutostart', 'dropRescue', 'discardHalfGolden', 'changeReservation'],
      ]);
      expect(await status()).toMatchObject({ phase: 'running' });
      await operate('stop');
      calls.length = 0;
      await failure('rescue', { rescue: PASSWORD });
      expect(calls).not.toContain('turnOnGuest');
      const { phase, rescue } = await status();
      expect([phase, rescue]).toEqual(['stopped', undefined]);
    });
  });

  it('is in its rescue system again when it does not come up from its own disks', async () => {
    let isBroken = false;
    const booted = scripted([])['bootGuest'] as (spec: unknown) => Promise<unknown>;
    const bootGuest = (spec: unknown): Promise<unknown> => (isBroken ? NO('GuestDidNotAnswer')() : booted(spec));
    await withGuest({ bootGuest }, async ({ calls, operate, failure, status }) => {
      await operate('rescue', { rescue: PASSWORD });
      calls.length = 0;
      isBroken = true;
      expect(await failure('unrescue')).toMatchObject({ type: 'GuestDidNotAnswer', details: { undone: ['start', 'stop'] } });
      expect(calls).toEqual(['stopGuest', 'bootGuest', 'destroyGuest', 'bootRescue']);
      expect(await status()).toMatchObject({ phase: 'rescue', rescue: { diskBytes: RESCUE_BYTES } });
      isBroken = false;
      expect(await operate('unrescue')).toMatchObject({ phase: 'running' });
    });
  });

  it('refuses in its rescue system what is for its own, and says what brings it back', async () => {
    await withGuest({}, async ({ operate, failure }) => {
      await operate('rescue', { rescue: PASSWORD });
      const kinds = [
        'start',
        'stop',
        'destroy',
        'reboot',
        'backup',
        'restore',
        'reinstall',
        'resize',
        'setPassword',
        'changePlan',
        'prove',
      ];
      for (const kind of kinds)
        expect((await failure(kind)).message, kind).toMatch(/ is refused: the guest is in its rescue system; unrescue brings it back/);
    });
  });

  it('is refused a rescue system that nobody could log in to', async () => {
    await withGuest({}, async ({ failure, calls }) => {
      expect(await failure('rescue', { rescue: { sshKeys: [] } })).toMatchObject({ type: 'InvalidInput', details: { field: 'password' } });
      expect(await failure('rescue', { rescue: { sealedPassword: { elsewhere: 'x'.repeat(80) } } })).toMatchObject({
        type: 'InvalidInput',
      });
      expect(calls).toEqual([]);
    });
  });

  it.each([
    ['suspend', ['stopGuest', 'dropRescue', 'changeReservation', 'disableAutostart', 'stopGuest'], 'suspended'],
    [
      'terminate',
      ['stopGuest', 'dropRescue', 'changeReservation', 'unscheduleNightly', 'disableAutostart', 'stopGuest', 'setAsideVolumes'],
      'terminating',
    ],
    ['rescue', ['stopGuest', 'dropRescue', 'changeReservation', 'changeReservation', 'ensureGoldenRoot', 'makeRescue'], 'rescue'],
  ] as const)('loses its rescue system by %s', async (kind, begins, phase) => {
    await withGuest(
      {},
      async ({ operate, calls, status }) => {
        await operate('rescue', { rescue: PASSWORD });
        calls.length = 0;
        await operate(kind, kind === 'rescue' ? { rescue: PASSWORD } : {});
        expect(calls.slice(0, begins.length)).toEqual(begins);
        const now = await status();
        expect([now.phase, now.rescue === undefined]).toEqual([phase, kind !== 'rescue']);
      },
      order({ life: { graceDays: 7 } }),
    );
  });

  it('is back even if the disk of its rescue system cannot be removed; that is said, and done when it is asked again', async () => {
    let isMended = false;
    const dropRescue = (): Promise<unknown> => (isMended ? Promise.resolve() : NO('ToolFailed')());
    await withGuest({ dropRescue }, async ({ operate, calls, status }) => {
      await operate('rescue', { rescue: PASSWORD });
      expect(await operate('unrescue')).toMatchObject({ phase: 'running' });
      const left = await status();
      expect(left.rescue).toBeDefined();
      expect(left.warnings.at(-1)).toMatch(/the disk of the rescue system of .* is still on .*; unrescue removes it/);
      isMended = true;
      calls.length = 0;
      expect(await operate('unrescue')).toMatchObject({ phase: 'running' });
      expect(calls).toEqual(['dropRescue', 'changeReservation']);
      expect((await status()).rescue).toBeUndefined();
      calls.length = 0;
      await operate('unrescue');
      expect(calls).toEqual([]);
    });
  });
});
