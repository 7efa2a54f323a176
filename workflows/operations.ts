/** The other operations on a guest, built the same way; each is a child workflow of the guest's, so that the UI lists its life. */
import { declareVersioning } from './versioning.ts';
import type { BackupRecord, GuestRef, GuestSpec, OrderRef } from '../contract/types.ts';
import { formatSize } from '../contract/sizes.ts';
import { Operation } from './operation.ts';
import { control, dom0Steps, longControl } from './proxies.ts';

function refOf(spec: GuestSpec): GuestRef {
  return { name: spec.name, order: spec.order, dom0: spec.dom0 };
}

/** What the Schedule of its nightly backup is made from. */
export function nightlyOf(spec: GuestSpec): { ref: GuestRef; at?: string } {
  return { ref: refOf(spec), ...(spec.backupAt === undefined ? {} : { at: spec.backupAt }) };
}

/** start, stop and destroy: the state of the domain, nothing else. */
export async function powerGuest(input: { spec: GuestSpec; action: 'start' | 'stop' | 'destroy' }): Promise<void> {
  const { spec, action } = input;
  const ref = refOf(spec);
  const operation = new Operation(`${action} **${spec.name}** on ${spec.dom0}`, [action]);
  const { host, undo } = dom0Steps(spec.dom0, spec.name, operation.onWaiting);
  await operation.run(async () => {
    if (action === 'start') await operation.step('start', () => host.bootGuest(spec), () => undo.destroyGuest(ref), ({ seconds }) => `answered after ${String(seconds)} s`);
    else if (action === 'stop') await operation.step('stop', () => host.stopGuest(ref), undefined, ({ how }) => how);
    else await operation.step('destroy', () => host.destroyGuest(ref));
  });
}

/** suspend: off, and not started with its dom0; its address and disks stay. */
export async function suspendGuest(spec: GuestSpec): Promise<void> {
  const ref = refOf(spec);
  const operation = new Operation(`Suspending **${spec.name}** on ${spec.dom0}`, ['autostart', 'stop']);
  const { host, undo } = dom0Steps(spec.dom0, spec.name, operation.onWaiting);
  await operation.run(async () => {
    // The link first: xendomains would bring it back after a reboot of the dom0 in between.
    await operation.step('autostart', () => host.disableAutostart(ref), () => undo.enableAutostart(ref));
    await operation.step('stop', () => host.stopGuest(ref), () => undo.bootGuest(spec), ({ how }) => how);
  });
}

/** resume: undo of suspend. */
export async function resumeGuest(spec: GuestSpec): Promise<void> {
  const ref = refOf(spec);
  const operation = new Operation(`Resuming **${spec.name}** on ${spec.dom0}`, ['start', 'autostart']);
  const { host, undo } = dom0Steps(spec.dom0, spec.name, operation.onWaiting);
  await operation.run(async () => {
    await operation.step('start', () => host.bootGuest(spec), () => undo.destroyGuest(ref), ({ seconds }) => `answered after ${String(seconds)} s`);
    await operation.step('autostart', () => host.enableAutostart(ref), () => undo.disableAutostart(ref));
  });
}

/** changePlan: promised first, then made true at a restart; undone whole if a part fails. */
export async function changePlan(input: { from: GuestSpec; to: GuestSpec; isRunning: boolean }): Promise<void> {
  const { from, to, isRunning } = input;
  const ref = refOf(from);
  const operation = new Operation(`Plan of **${from.name}** on ${from.dom0}: ${from.plan} → ${to.plan}`, ['reserve', 'stop', 'disk', 'cfg', 'start']);
  const { host, bulk, undo, undoBulk } = dom0Steps(from.dom0, from.name, operation.onWaiting);
  await operation.run(async () => {
    await operation.firstStep('reserve', () => control.promise(to), () => control.promise(from));
    await operation.step('stop', () => host.stopGuest(ref), async () => (isRunning ? undo.bootGuest(from) : undefined), ({ how }) => how);
    await operation.step('disk', async () => (to.diskBytes > from.diskBytes ? bulk.growDisk({ ref, bytes: to.diskBytes }) : undefined),
      async () => (to.diskBytes > from.diskBytes ? undoBulk.shrinkDisk({ ref, bytes: from.diskBytes }) : undefined), () => formatSize(to.diskBytes));
    await operation.step('cfg', () => host.fixCfg({ spec: to, disks: 'lvm', onCrash: 'restart' }), () => undo.fixCfg({ spec: from, disks: 'lvm', onCrash: 'restart' }));
    await operation.step('start', async () => (isRunning ? host.bootGuest(to) : undefined), () => undo.destroyGuest(ref));
  });
}

/** The begin of a termination: off, not started again, no more backups; its disks renamed, its address kept, until the grace is over. */
export async function retireGuest(spec: GuestSpec): Promise<void> {
  const ref = refOf(spec);
  const operation = new Operation(`Terminating **${spec.name}** on ${spec.dom0}`, ['schedule', 'autostart', 'stop', 'volumes']);
  const { host, undo } = dom0Steps(spec.dom0, spec.name, operation.onWaiting);
  await operation.run(async () => {
    await operation.step('schedule', () => control.unscheduleNightly(ref), () => control.scheduleNightly(nightlyOf(spec)));
    await operation.step('autostart', () => host.disableAutostart(ref), () => undo.enableAutostart(ref));
    await operation.step('stop', () => host.stopGuest(ref), () => undo.bootGuest(spec), ({ how }) => how);
    await operation.step('volumes', () => host.retireVolumes(ref), () => undo.reviveVolumes(ref));
  });
}

/** undelete: undo of the begin of a termination. */
export async function reviveGuest(spec: GuestSpec): Promise<void> {
  const ref = refOf(spec);
  const operation = new Operation(`Taking the termination of **${spec.name}** on ${spec.dom0} back`, ['volumes', 'start', 'autostart', 'schedule']);
  const { host, undo } = dom0Steps(spec.dom0, spec.name, operation.onWaiting);
  await operation.run(async () => {
    await operation.step('volumes', () => host.reviveVolumes(ref), () => undo.retireVolumes(ref));
    await operation.step('start', () => host.bootGuest(spec), () => undo.destroyGuest(ref), ({ seconds }) => `answered after ${String(seconds)} s`);
    await operation.step('autostart', () => host.enableAutostart(ref), () => undo.disableAutostart(ref));
    await operation.step('schedule', () => control.scheduleNightly(nightlyOf(spec)), () => control.unscheduleNightly(ref));
  });
}

/** One backup, without stopping the guest; its snapshot goes whatever happens. */
export async function backupGuest(ref: GuestRef): Promise<BackupRecord> {
  const operation = new Operation(`Backup of **${ref.name}** on ${ref.dom0}`, ['backup']);
  const { bulk, undo } = dom0Steps(ref.dom0, ref.name, operation.onWaiting);
  return operation.run(() => operation.step('backup', () => bulk.takeBackup(ref), () => undo.removeSnapshot(ref), (backup) => `${backup.path}, ${formatSize(backup.bytes)}`));
}

/**
 * Everything of a guest goes: the undo of every step of its provisioning, whatever of it there is.
 * It serves the end of a guest and the cleaning up after an undo that could not finish; it may be repeated.
 */
export async function terminateGuest(input: OrderRef): Promise<void> {
  const { dist, ...ref } = input;
  const { undo, undoBulk } = dom0Steps(ref.dom0, ref.name);
  // In this order: a domain is gone before its disks go, and the cfg, by which the domain is known as ours, goes after it.
  const removals = [
    ['schedule', () => control.unscheduleNightly(ref)],
    ['domain', () => undo.destroyGuest(ref)],
    ['volumes', () => undoBulk.removeVolumes(ref)],
    ['image', () => undo.removeImage(ref)],
    ...(dist === undefined ? [] : [['golden', () => undoBulk.discardHalfGolden({ dist })] as const]),
    ['cfg', () => undo.removeCfg(ref)],
    ['backups', () => undo.removeBackups(ref)],
    ['state', () => undo.removeGuestState(ref)],
  ] as const;
  const operation = new Operation(`Removing **${ref.name}** from ${ref.dom0}`, [...removals.map(([name]) => name), 'lease']);
  await operation.removeAll(removals, ['lease', () => control.release(ref)], () => undo.leftoversOf(input));
}

/** What a Schedule starts: it asks the guest for a backup, so that it never meets another operation. */
export async function nightlyBackup(ref: GuestRef): Promise<void> {
  await longControl.requestBackup(ref);
}

declareVersioning('PINNED', powerGuest);
declareVersioning('PINNED', backupGuest);
for (const workflow of [suspendGuest, resumeGuest, retireGuest, reviveGuest]) declareVersioning('PINNED', workflow);
declareVersioning('PINNED', changePlan);
declareVersioning('PINNED', terminateGuest);
declareVersioning('PINNED', nightlyBackup);
