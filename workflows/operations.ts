/** The other operations on a guest, built the same way; each is a child workflow of the guest's, so that the UI lists its life. */
import { ApplicationFailure } from '@temporalio/workflow';
import { declareVersioning } from './versioning.ts';
import { backupPlace } from '../contract/backup-place.ts';
import type { BackupRecord, GuestRef, GuestSpec, OrderRef } from '../contract/types.ts';
import { formatSize } from '../contract/sizes.ts';
import { onCrashOf } from './guest-rules.ts';
import { leftoversOf } from './leftovers.ts';
import { Operation } from './operation.ts';
import { control, dom0Steps } from './proxies.ts';
import { defined } from '../contract/defined.ts';

function refOf(spec: GuestSpec): GuestRef {
  return { name: spec.name, order: spec.order, dom0: spec.dom0 };
}

/** What the Schedule of its nightly backup is made from. */
export function nightlyOf(spec: GuestSpec): { ref: GuestRef; at?: string } {
  return { ref: refOf(spec), ...defined({ at: spec.backupAt }) };
}

/** How a guest was before an operation: what its undo brings back. */
export interface Before {
  readonly isRunning: boolean;
  /** It starts with its dom0. */
  readonly isAutostarted: boolean;
}

/** start, stop and destroy. A guest that somebody stopped does not come back with its dom0: the link goes with it. */
export async function powerGuest(input: { spec: GuestSpec; action: 'start' | 'stop' | 'destroy'; before: Before }): Promise<void> {
  const { spec, action, before } = input;
  if (action === 'start') return startGuest(spec, before);
  const operation = new Operation(`${action} **${spec.name}** on ${spec.dom0}`, ['autostart', action]);
  return switchOff(operation, spec, before, action);
}

/** suspend: off, or paused where its order says so, and not started with its dom0; its address and disks stay. */
export async function suspendGuest(input: { spec: GuestSpec; before: Before }): Promise<void> {
  const { spec, before } = input;
  const how = spec.suspend === 'pause' ? 'pause' : 'stop';
  return switchOff(new Operation(`Suspending **${spec.name}** on ${spec.dom0}`, ['autostart', how]), spec, before, how);
}

type SwitchOff = 'stop' | 'destroy' | 'pause';

async function switchOff(operation: Operation, spec: GuestSpec, before: Before, how: SwitchOff): Promise<void> {
  await operation.run(() => switchOffSteps(operation, spec, before, how));
}

/** The link first: xendomains would bring the guest back after a reboot of the dom0 in between. */
async function switchOffSteps(operation: Operation, spec: GuestSpec, before: Before, how: SwitchOff): Promise<void> {
  const ref = refOf(spec);
  const { host, undo } = dom0Steps(spec.dom0, spec.name, operation.onWaiting);
  await operation.step(
    'autostart',
    () => host.disableAutostart(ref),
    async () => (before.isAutostarted ? undo.enableAutostart(ref) : undefined),
  );
  const bringBack = async (): Promise<unknown> => {
    if (!before.isRunning) return undefined;
    if (how === 'pause') await undo.unpauseGuest(ref);
    return undo.bootGuest(spec);
  };
  if (how === 'stop')
    await operation.step(
      'stop',
      () => host.stopGuest(ref),
      bringBack,
      ({ how: done }) => done,
    );
  else await operation.step(how, () => (how === 'pause' ? host.pauseGuest(ref) : host.destroyGuest(ref)), bringBack);
}

/** resume: undo of suspend. */
export async function resumeGuest(input: { spec: GuestSpec; before: Before }): Promise<void> {
  return startGuest(input.spec, input.before, input.spec.suspend === 'pause' ? 'unpause' : 'start');
}

async function startGuest(spec: GuestSpec, before: Before, how: 'start' | 'unpause' = 'start'): Promise<void> {
  const operation = new Operation(`Starting **${spec.name}** on ${spec.dom0}`, ['start', 'autostart']);
  await operation.run(() => startSteps(operation, spec, before, how));
}

/** @param how `unpause`: it stands still, unless its dom0 was rebooted meanwhile */
async function startSteps(operation: Operation, spec: GuestSpec, before: Before, how: 'start' | 'unpause' = 'start'): Promise<void> {
  const ref = refOf(spec);
  const { host, undo } = dom0Steps(spec.dom0, spec.name, operation.onWaiting);
  await operation.step(
    'start',
    async () => {
      if (how === 'unpause') await host.unpauseGuest(ref);
      return host.bootGuest(spec);
    },
    async () => {
      if (before.isRunning) return undefined;
      return how === 'unpause' ? undo.pauseGuest(ref) : undo.destroyGuest(ref);
    },
    ({ seconds, warning }) => warning ?? `answered after ${seconds} s`,
  );
  await operation.step(
    'autostart',
    () => host.enableAutostart(ref),
    async () => (before.isAutostarted ? undefined : undo.disableAutostart(ref)),
  );
}

/**
 * changePlan: promised first, then made true: while the guest runs, where Xen and the guest can; else at a restart, if that is allowed. Undone
 * whole if a part fails.
 */
export async function changePlan(input: { from: GuestSpec; to: GuestSpec; isRunning: boolean; mayRestart?: boolean }): Promise<void> {
  const { from, to, isRunning, mayRestart = true } = input;
  const sameDisk = to.diskBytes === from.diskBytes;
  const isLess = to.memoryBytes < from.memoryBytes || to.vcpus < from.vcpus;
  const operation = new Operation(`Plan of **${from.name}** on ${from.dom0}: ${from.plan} → ${to.plan}`, [
    'reserve',
    ...(isRunning && sameDisk ? ['adjust'] : []),
    ...(isRunning ? ['autostart-off'] : []),
    'stop',
    'disk',
    'cfg',
    ...(isRunning ? ['autostart'] : []),
    'start',
    ...(isLess ? ['give-back'] : []),
  ]);
  await operation.run(async () => {
    await operation.firstStep(
      'reserve',
      () => control.promise(largerOf(from, to)),
      () => control.promise(from, true),
    );
    const isAdjusted = isRunning && sameDisk ? await adjusted(operation, from, to, mayRestart) : false;
    await changeAtRest(operation, from, to, { isRunning, isAdjusted });
    if (isLess) await operation.step('give-back', () => control.promise(to));
  });
}

/** What a guest takes while it goes from one plan to another: a smaller plan gives nothing back before the guest has let go of it. A disk does not become smaller. */
function largerOf(from: GuestSpec, to: GuestSpec): GuestSpec {
  return { ...to, memoryBytes: Math.max(from.memoryBytes, to.memoryBytes), vcpus: Math.max(from.vcpus, to.vcpus) };
}

/** Whether no restart is needed any more. A disk is another matter: a file system that a guest has mounted is not touched from outside. */
async function adjusted(operation: Operation, from: GuestSpec, to: GuestSpec, mayRestart: boolean): Promise<boolean> {
  const { host, undo } = dom0Steps(from.dom0, from.name, operation.onWaiting);
  return operation.step(
    'adjust',
    async () => {
      const { isDone, reason = '' } = await host.adjustGuest({ spec: to, mustNotKeepMore: false });
      if (isDone || mayRestart) return isDone;
      throw ApplicationFailure.create({
        type: 'InvalidInput',
        nonRetryable: true,
        message: `plan ${to.plan} needs a restart, which the request does not allow: ${reason}`,
        details: [{ field: 'plan' }],
      });
    },
    () => undo.adjustGuest({ spec: from, mustNotKeepMore: true }),
    (isDone) => (isDone ? `${formatSize(to.memoryBytes)}, ${to.vcpus} vcpus, without a restart` : 'needs a restart'),
  );
}

/** What a restart is for, and the cfg, by which the next start is. A guest that was adjusted keeps running. */
async function changeAtRest(
  operation: Operation,
  from: GuestSpec,
  to: GuestSpec,
  { isRunning, isAdjusted }: { isRunning: boolean; isAdjusted: boolean },
): Promise<void> {
  const ref = refOf(from);
  const { host, bulk, undo, undoBulk } = dom0Steps(from.dom0, from.name, operation.onWaiting);
  const isGrown = to.diskBytes > from.diskBytes;
  const isRestarted = isRunning && !isAdjusted;
  // It does not come back with its dom0 before the change is done.
  if (isRestarted)
    await operation.step(
      'autostart-off',
      () => host.disableAutostart(ref),
      () => undo.enableAutostart(ref),
    );
  if (!isAdjusted)
    await operation.step(
      'stop',
      () => host.stopGuest(ref),
      async () => (isRunning ? undo.bootGuest(from) : undefined),
      ({ how }) => how,
    );
  await operation.step(
    'disk',
    async () => (isGrown ? bulk.growDisk({ ref, bytes: to.diskBytes }) : undefined),
    async () => (isGrown ? undoBulk.shrinkDisk({ ref, bytes: from.diskBytes }) : undefined),
    () => formatSize(to.diskBytes),
  );
  await operation.step(
    'cfg',
    () => host.fixCfg({ spec: to, disks: 'volume', onCrash: onCrashOf(to), from }),
    () => undo.fixCfg({ spec: from, disks: 'volume', onCrash: onCrashOf(from), undoOf: to }),
  );
  if (isRestarted)
    await operation.step(
      'autostart',
      () => host.enableAutostart(ref),
      () => undo.disableAutostart(ref),
    );
  if (!isAdjusted)
    await operation.step(
      'start',
      async () => (isRunning ? host.bootGuest(to) : undefined),
      () => undo.destroyGuest(ref),
    );
}

/** The begin of a termination: off, not started again, no more backups; its disks renamed, its address kept, until the grace is over. */
export async function retireGuest(input: { spec: GuestSpec; before: Before }): Promise<void> {
  const { spec, before } = input;
  const ref = refOf(spec);
  const operation = new Operation(`Terminating **${spec.name}** on ${spec.dom0}`, ['schedule', 'autostart', 'stop', 'volumes']);
  const { host, undo } = dom0Steps(spec.dom0, spec.name, operation.onWaiting);
  await operation.run(async () => {
    await operation.step(
      'schedule',
      () => control.unscheduleNightly(ref),
      () => control.scheduleNightly(nightlyOf(spec)),
    );
    await switchOffSteps(operation, spec, before, 'stop');
    await operation.step(
      'volumes',
      () => host.retireVolumes(ref),
      () => undo.reviveVolumes(ref),
    );
  });
}

/** undelete: undo of the begin of a termination; the guest is as it was before it. */
export async function reviveGuest(input: { spec: GuestSpec; before: Before }): Promise<void> {
  const { spec, before } = input;
  const ref = refOf(spec);
  const operation = new Operation(`Taking the termination of **${spec.name}** on ${spec.dom0} back`, [
    'volumes',
    ...(before.isRunning ? ['start', 'autostart'] : []),
    'schedule',
  ]);
  const { host, undo } = dom0Steps(spec.dom0, spec.name, operation.onWaiting);
  await operation.run(async () => {
    await operation.step(
      'volumes',
      () => host.reviveVolumes(ref),
      () => undo.retireVolumes(ref),
    );
    if (before.isRunning) await startSteps(operation, spec, { isRunning: false, isAutostarted: false });
    await operation.step(
      'schedule',
      () => control.scheduleNightly(nightlyOf(spec)),
      () => control.unscheduleNightly(ref),
    );
  });
}

/** One backup, without stopping the guest; its snapshot goes whatever happens. */
export async function backupGuest(ref: GuestRef): Promise<BackupRecord> {
  const operation = new Operation(`Backup of **${ref.name}** on ${ref.dom0}`, ['backup']);
  const { bulk, undo } = dom0Steps(ref.dom0, ref.name, operation.onWaiting);
  return operation.run(() =>
    operation.step(
      'backup',
      () => bulk.takeBackup(ref),
      () => undo.undoBackup(ref),
      (backup) => `${backupPlace(backup)}, ${formatSize(backup.bytes)}`,
    ),
  );
}

/**
 * Everything of a guest goes: the undo of every step of its provisioning, whatever of it there is.
 * It serves the end of a guest and the cleaning up after an undo that could not finish; it may be repeated. Backups may be left for later.
 */
export async function terminateGuest(input: OrderRef & { readonly keepsBackups?: true }): Promise<void> {
  const { dist, keepsBackups, ...ref } = input;
  const { undo, undoBulk } = dom0Steps(ref.dom0, ref.name);
  // In this order: a domain is gone before its disks go, and the cfg, by which the domain is known as ours, goes after it.
  const removals = [
    ['schedule', () => control.unscheduleNightly(ref)],
    ['domain', () => undo.destroyGuest(ref)],
    ['volumes', () => undoBulk.removeVolumes(ref)],
    ['image', () => undo.removeImage(ref)],
    ...(dist === undefined ? [] : [['golden', () => undoBulk.discardHalfGolden({ dist })] as const]),
    ['cfg', () => undo.removeCfg(ref)],
    ...(keepsBackups === true ? [] : [['backups', () => undo.removeBackups(ref)] as const]),
    ['state', () => undo.removeGuestState(ref)],
  ] as const;
  const operation = new Operation(`Removing **${ref.name}** from ${ref.dom0}`, [...removals.map(([name]) => name), 'lease']);
  await operation.removeAll(removals, ['lease', () => control.release(ref)], () => leftoversOf(undo, { ...ref, ...defined({ dist }) }));
}

declareVersioning('PINNED', powerGuest);
declareVersioning('PINNED', backupGuest);
for (const workflow of [suspendGuest, resumeGuest, retireGuest, reviveGuest]) declareVersioning('PINNED', workflow);
declareVersioning('PINNED', changePlan);
declareVersioning('PINNED', terminateGuest);
