/** The other operations on a guest, built the same way; each is a child workflow of the guest's, so that the UI lists its life. */
import { declareVersioning } from './versioning.ts';
import type { BackupRecord, GuestRef, GuestSpec } from '../contract/types.ts';
import { formatSize } from '../contract/sizes.ts';
import { Operation } from './operation.ts';
import { control, dom0Steps, longControl } from './proxies.ts';

function refOf(spec: GuestSpec): GuestRef {
  return { name: spec.name, order: spec.order, dom0: spec.dom0 };
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
  }, () => undo.leftoversOf(ref));
}

/** One backup, without stopping the guest; its snapshot goes whatever happens. */
export async function backupGuest(ref: GuestRef): Promise<BackupRecord> {
  const operation = new Operation(`Backup of **${ref.name}** on ${ref.dom0}`, ['backup']);
  const { bulk, undo } = dom0Steps(ref.dom0, ref.name, operation.onWaiting);
  return operation.run(
    () => operation.step('backup', () => bulk.takeBackup(ref), () => undo.removeSnapshot(ref), (backup) => `${backup.path}, ${formatSize(backup.bytes)}`),
    () => undo.leftoversOf(ref),
  );
}

/**
 * Everything of a guest goes: the undo of every step of its provisioning, whatever of it there is.
 * It serves the end of a guest and the cleaning up after an undo that could not finish; it may be repeated.
 */
export async function terminateGuest(ref: GuestRef): Promise<void> {
  const { undo, undoBulk } = dom0Steps(ref.dom0, ref.name);
  // In this order: a domain is gone before its disks go, and the cfg, by which the domain is known as ours, goes after it.
  const removals = [
    ['schedule', () => control.unscheduleNightly(ref)],
    ['domain', () => undo.destroyGuest(ref)],
    ['volumes', () => undoBulk.removeVolumes(ref)],
    ['image', () => undo.removeImage(ref)],
    ['cfg', () => undo.removeCfg(ref)],
    ['backups', () => undo.removeBackups(ref)],
    ['state', () => undo.removeGuestState(ref)],
    ['lease', () => control.release(ref)],
  ] as const;
  const operation = new Operation(`Removing **${ref.name}** from ${ref.dom0}`, removals.map(([name]) => name));
  await operation.removeAll(removals, () => undo.leftoversOf(ref));
}

/** What a Schedule starts: it asks the guest for a backup, so that it never meets another operation. */
export async function nightlyBackup(ref: GuestRef): Promise<void> {
  await longControl.requestBackup(ref);
}

declareVersioning('PINNED', powerGuest);
declareVersioning('PINNED', backupGuest);
declareVersioning('PINNED', terminateGuest);
declareVersioning('PINNED', nightlyBackup);
