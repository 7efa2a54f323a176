/** Each call of a restore on another dom0 that fails for good: all before it is undone, the last one first. Steps are scripted. */
import type { TestWorkflowEnvironment } from '@temporalio/testing';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { GUEST_SIGNALS, GUEST_UPDATES, QUERIES } from '../../contract/names.ts';
import type { GuestStatus } from '../../contract/guest.ts';
import { place, settled } from '../record/recording.ts';
import { OTHER, withOther } from './other-dom0.ts';
import { NO, order, scripted, until } from './scripted.ts';
import { DOM0, startServer, withWorkers, type AnyActivities } from './temporal.ts';

let environment: TestWorkflowEnvironment;
beforeAll(async () => {
  environment = await startServer();
});
afterAll(async () => {
  await environment.teardown();
});

/** Each call, and the undo of its step. The first one of a step begins it. */
const FORWARD = [
  ['reserveWithLease', 'leaveDom0'],
  ['findForeign', undefined],
  ['leftoversOf', undefined],
  ['planGuest', 'removeGuestState'],
  ['restoreVolumes', 'removeVolumes'],
  ['recogniseGuest', undefined],
  ['fixCfg', 'removeCfg'],
  ['bootGuest', 'destroyGuest'],
  ['fixCfg', 'disableAutostart'],
  ['enableAutostart', undefined],
  ['scheduleNightly', 'unscheduleNightly'],
  ['leaveDom0', 'changeReservation'],
] as const;

/** Activities of which the call at one place fails, counted from when it was set. */
function failingAt(calls: string[]): { activities: AnyActivities; fail: (at: number | undefined) => void } {
  let failing: number | undefined;
  const usual = scripted(calls);
  const activities = Object.fromEntries(
    Object.entries(usual).map(([name, activity]) => [
      name,
      async (...args: never[]) => {
        const isIt = calls.length === failing;
        const answer = await activity(...args);
        return isIt ? NO('ToolFailed')() : answer;
      },
    ]),
  );
  return {
    activities,
    fail: (at) => {
      calls.length = 0;
      failing = at;
    },
  };
}

it('is undone whichever of its calls fails, and the guest is lost as before; then it goes well', async () => {
  const calls: string[] = [];
  const { activities, fail } = failingAt(calls);
  await withWorkers(environment, activities, () =>
    withOther(environment, activities, async () => {
      const handle = await place(environment, order());
      await settled(handle);
      await handle.signal(GUEST_SIGNALS.dom0Lost, { dom0: DOM0, since: '2026-01-02T00:00:00.000Z' });
      const status = (): Promise<GuestStatus> => handle.query<GuestStatus>(QUERIES.status);
      const before = await until(status, ({ phase }) => phase === 'lost');
      const restore = (id: string): Promise<unknown> =>
        handle.executeUpdate(GUEST_UPDATES.operate, { args: [{ kind: 'restoreElsewhere', id, dom0: OTHER }], updateId: id });
      for (const [at, [failing]] of FORWARD.entries()) {
        fail(at);
        await expect(restore(`fails-${String(at)}`), failing).rejects.toThrow();
        const done = FORWARD.slice(0, at + 1);
        const undone = done.flatMap(([, undo]) => undo ?? []).reverse();
        expect(calls, failing).toEqual([...done.map(([name]) => name), ...undone]);
        const { error: _why, ...after } = await status();
        expect(after, failing).toEqual({ ...before });
      }
      fail(undefined);
      await restore('goes-well');
      expect(await settled(handle)).toMatchObject({ phase: 'running', dom0: OTHER });
      expect(calls.slice(0, FORWARD.length)).toEqual(FORWARD.map(([name]) => name));
      await handle.terminate('the case is over');
    }),
  );
});
