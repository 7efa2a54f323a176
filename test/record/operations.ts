/** Operations on guests that go another way than the usual one: they fail and are undone, they are cancelled, their undo cannot finish. */
import { WorkflowUpdateFailedError } from '@temporalio/client';
import type { TestWorkflowEnvironment } from '@temporalio/testing';
import { GUEST_UPDATES, guestWorkflowId } from '../../contract/names.ts';
import type { AccessChange, DiskChange, OperationRequest, PlanChange } from '../../contract/guest-requests.ts';
import { NO, order, scripted, untilCancelled } from '../workflow/scripted.ts';
import { DOM0, withWorkers, type AnyActivities } from '../workflow/temporal.ts';
import { operate, place, record, settled } from './recording.ts';

const LARGER: PlanChange = { plan: 'large', memoryBytes: 2 ** 30, vcpus: 2, diskBytes: 2 ** 33, mayRestart: true };
const MORE_MEMORY: PlanChange = { plan: 'medium', memoryBytes: 2 ** 29, vcpus: 2, diskBytes: 2 ** 31, mayRestart: false };
const SMALLER: DiskChange = { diskBytes: 2 ** 30, how: 'offline' };

const PASSWORD: AccessChange = { sealedPassword: { [DOM0]: 'x'.repeat(80) }, how: 'offline' };

const HOSTNAME: AccessChange = { hostname: 'shop.example.org', how: 'offline' };
const KEYS: AccessChange = { sshKeys: [], how: 'offline' };

const RESCUE = { kind: 'rescue', rescue: { sshKeys: ['ssh-ed25519 AAAA'] } } as const;

/** An operation, the activity at which it does not go on, and the name of its history. Without an activity it goes well. */
interface Trial {
  readonly request: Omit<OperationRequest, 'id'>;
  readonly at?: string;
  /** How it fails there. Default: ToolFailed. */
  readonly type?: string;
  /** It goes well although that activity does not. */
  readonly goesWell?: true;
  /** Default: only the life of the guest shows it. */
  readonly name?: string;
}

const FAILING: readonly Trial[] = [
  { name: 'stop-undone', request: { kind: 'stop' }, at: 'stopGuest' },
  { name: 'destroy-undone', request: { kind: 'destroy' }, at: 'destroyGuest' },
  { name: 'reboot-undone', request: { kind: 'reboot' }, at: 'bootGuest' },
  { name: 'suspend-undone', request: { kind: 'suspend' }, at: 'stopGuest' },
  { name: 'backup-undone', request: { kind: 'backup' }, at: 'takeBackup' },
  { name: 'backup-not-pruned', request: { kind: 'backup' }, at: 'listBackups', goesWell: true },
  { name: 'prune-undone', request: { kind: 'prune' }, at: 'listBackups' },
  { name: 'protect-undone', request: { kind: 'protect' }, at: 'setProtected' },
  { name: 'prove-undone', request: { kind: 'prove' }, at: 'endTrial' },
  { name: 'prove-silent', request: { kind: 'prove' }, at: 'bootTrial', type: 'GuestDidNotAnswer' },
  { name: 'prove-unusable', request: { kind: 'prove' }, at: 'makeTrial', type: 'BackupUnusable' },
  { name: 'resize-smaller-undone', request: { kind: 'resize', resize: SMALLER }, at: 'reduceDisk' },
  { name: 'resize-smaller-refused', request: { kind: 'resize', resize: SMALLER }, at: 'tryReducing' },
  { name: 'restore-undone', request: { kind: 'restore' }, at: 'bootGuest' },
  { name: 'restore-not-filled', request: { kind: 'restore' }, at: 'fillRestored' },
  { request: { kind: 'restore' } },
  { name: 'keepRestored-failed', request: { kind: 'keepRestored' }, at: 'dropDisk' },
  { name: 'undoRestore-undone', request: { kind: 'undoRestore' }, at: 'exchangeDisks' },
  { name: 'changePlan-undone', request: { kind: 'changePlan', change: LARGER }, at: 'bootGuest' },
  { name: 'changePlan-adjusted-undone', request: { kind: 'changePlan', change: MORE_MEMORY }, at: 'fixCfg' },
  { name: 'resize-undone', request: { kind: 'resize', resize: { diskBytes: 2 ** 33, how: 'offline' } }, at: 'bootGuest' },
  { name: 'resize-live-undone', request: { kind: 'resize', resize: { diskBytes: 2 ** 33, how: 'live' } }, at: 'growDiskInUse' },
  {
    name: 'resize-live-left',
    request: { kind: 'resize', resize: { diskBytes: 2 ** 33, how: 'live' } },
    at: 'growFileSystem',
    goesWell: true,
  },
  { name: 'setPassword-undone', request: { kind: 'setPassword', access: PASSWORD }, at: 'bootGuest' },
  { name: 'setPassword-not-forgotten', request: { kind: 'setPassword', access: PASSWORD }, at: 'forgetAccess', goesWell: true },
  { request: { kind: 'keepRestored' } },
  { name: 'reinstall-undone', request: { kind: 'reinstall' }, at: 'bootGuest' },
  { name: 'rescue-undone', request: RESCUE, at: 'bootRescue' },
  { request: RESCUE },
  { name: 'unrescue-undone', request: { kind: 'unrescue' }, at: 'bootGuest' },
  { name: 'unrescue-left', request: { kind: 'unrescue' }, at: 'dropRescue', goesWell: true },
  { name: 'setHostname-undone', request: { kind: 'setHostname', access: HOSTNAME }, at: 'bootGuest' },
  { name: 'setKeys-undone', request: { kind: 'setKeys', access: KEYS }, at: 'bootGuest' },
  { name: 'terminate-undone', request: { kind: 'terminate' }, at: 'setAsideVolumes' },
  { request: { kind: 'suspend' } },
  { name: 'resume-undone', request: { kind: 'resume' }, at: 'enableAutostart' },
  { request: { kind: 'resume' } },
  { name: 'destroy', request: { kind: 'destroy' } },
  { name: 'start-undone', request: { kind: 'start' }, at: 'enableAutostart' },
  { request: { kind: 'start' } },
  { request: { kind: 'terminate' } },
  { name: 'undelete-undone', request: { kind: 'undelete' }, at: 'scheduleNightly' },
  { name: 'terminate-now-needs-cleanup', request: { kind: 'terminate', now: true }, at: 'removeImage' },
  { name: 'cleanup', request: { kind: 'cleanup' } },
];

const CANCELLED: readonly Trial[] = [
  { name: 'stop-cancelled', request: { kind: 'stop' }, at: 'stopGuest' },
  { name: 'reboot-cancelled', request: { kind: 'reboot' }, at: 'bootGuest' },
  { name: 'suspend-cancelled', request: { kind: 'suspend' }, at: 'stopGuest' },
  { name: 'backup-cancelled', request: { kind: 'backup' }, at: 'takeBackup' },
  { name: 'prune-cancelled', request: { kind: 'prune' }, at: 'listBackups' },
  { name: 'protect-cancelled', request: { kind: 'protect' }, at: 'setProtected' },
  { name: 'prove-cancelled', request: { kind: 'prove' }, at: 'makeTrial' },
  { name: 'restore-cancelled', request: { kind: 'restore' }, at: 'fillRestored' },
  { request: { kind: 'restore' } },
  { name: 'undoRestore-cancelled', request: { kind: 'undoRestore' }, at: 'exchangeDisks' },
  { name: 'changePlan-cancelled', request: { kind: 'changePlan', change: LARGER }, at: 'growDisk' },
  { name: 'resize-cancelled', request: { kind: 'resize', resize: { diskBytes: 2 ** 33, how: 'live' } }, at: 'growFileSystem' },
  { name: 'setPassword-cancelled', request: { kind: 'setPassword', access: PASSWORD }, at: 'changeAccessOffline' },
  { request: { kind: 'keepRestored' } },
  { name: 'reinstall-cancelled', request: { kind: 'reinstall' }, at: 'fillReinstalled' },
  { name: 'rescue-cancelled', request: RESCUE, at: 'makeRescue' },
  { request: RESCUE },
  { name: 'unrescue-cancelled', request: { kind: 'unrescue' }, at: 'bootGuest' },
  { request: { kind: 'unrescue' } },
  { name: 'setHostname-cancelled', request: { kind: 'setHostname', access: HOSTNAME }, at: 'changeAccessOffline' },
  { name: 'setKeys-cancelled', request: { kind: 'setKeys', access: KEYS }, at: 'changeAccessOffline' },
  { name: 'terminate-cancelled', request: { kind: 'terminate' }, at: 'setAsideVolumes' },
  { request: { kind: 'suspend' } },
  { name: 'resume-cancelled', request: { kind: 'resume' }, at: 'bootGuest' },
  { request: { kind: 'terminate' } },
  { name: 'undelete-cancelled', request: { kind: 'undelete' }, at: 'bringBackVolumes' },
  { request: { kind: 'terminate', now: true } },
];

/** Temporal passes only the first such cancel on. */
const CANCELLED_IN_UI: readonly Trial[] = [
  { request: { kind: 'stop' }, at: 'stopGuest' },
  { request: { kind: 'backup' } },
  { request: { kind: 'terminate', now: true } },
];

const PAUSED: readonly Trial[] = [
  { name: 'suspend-paused', request: { kind: 'suspend' } },
  { name: 'resume-paused', request: { kind: 'resume' } },
  { request: { kind: 'terminate', now: true } },
];

/** Steps of which one can be told, for one call, to do something else: its undo may need the same step, which then goes well. */
export function steps(changes: AnyActivities = { leftoversOf: () => Promise.resolve(['/home/xen/domains/x']) }): {
  activities: AnyActivities;
  once: (name: string, instead: () => Promise<never>) => void;
} {
  let next: { name: string; instead: () => Promise<never> } | undefined;
  const usual = scripted([], changes);
  const activities = Object.fromEntries(
    Object.entries(usual).map(([name, activity]) => [
      name,
      async (...args: never[]) => {
        if (next?.name !== name) return activity(...args);
        const { instead } = next;
        next = undefined;
        return instead();
      },
    ]),
  );
  return {
    activities,
    once: (name, instead) => {
      next = { name, instead };
    },
  };
}

/** A guest's life through these operations, to its end. */
async function through(
  environment: TestWorkflowEnvironment,
  name: string,
  trials: readonly Trial[],
  how: 'fails' | 'is cancelled' | 'is cancelled in the UI',
  document = order(),
): Promise<void> {
  const { activities, once } = steps();
  await withWorkers(environment, activities, async () => {
    const handle = await place(environment, document);
    await settled(handle);
    // After a cancel in the UI it goes on in a new run.
    const { runId } = await handle.describe();
    for (const trial of trials) {
      // What the guest begins by itself after one, a backup after a proof that found none, is over before the next.
      await settled(handle);
      let reached = (): void => undefined;
      const inside = new Promise<void>((resolve) => {
        reached = resolve;
      });
      if (trial.at !== undefined) once(trial.at, how === 'fails' ? NO(trial.type ?? 'ToolFailed') : untilCancelled(reached));
      const { workflowId, done } = operate(environment, document.name, trial.request);
      const outcome = done.then(
        () => 'went well',
        (error: unknown) => {
          if (error instanceof WorkflowUpdateFailedError) return 'did not';
          throw error;
        },
      );
      if (trial.at !== undefined && how !== 'fails') {
        await Promise.race([inside, outcome]);
        await (how === 'is cancelled' ? handle.executeUpdate(GUEST_UPDATES.cancel) : handle.cancel());
      }
      // A history whose name says that it was undone must be of one that was.
      if ((await outcome) !== (trial.at === undefined || trial.goesWell === true ? 'went well' : 'did not'))
        throw new Error(`${workflowId} went another way`);
      if (trial.name !== undefined) await record(environment, workflowId, trial.name);
    }
    await handle.result();
    await record(environment, guestWorkflowId(document.name), name, runId);
  });
}

/** Records them. */
export async function recordOperations(environment: TestWorkflowEnvironment): Promise<void> {
  await through(environment, 'guest-operations-undone', FAILING, 'fails');
  await through(environment, 'guest-operations-cancelled', CANCELLED, 'is cancelled');
  await through(environment, 'guest-cancelled-in-ui', CANCELLED_IN_UI, 'is cancelled in the UI');
  await through(environment, 'guest-paused', PAUSED, 'fails', order({ life: { suspend: 'pause' } }));
}
