/** A guest's disk made from a backup, beside the one that it has; and the exchange of the two. */
import { GuestflowError } from '../../../contract/errors.ts';
import type { StoredBackup } from '../../../contract/backup.ts';
import type { GuestRef, SpareRole } from '../../../contract/guest.ts';
import type { BackupSource, Haste } from '../backup/port.ts';
import type { StepEnv } from '../env.ts';
import { FileSystem } from '../guests/file-system.ts';
import { forgetSpare } from '../guests/recognise.ts';
import { stopGuest } from './boot.ts';

/** A backup, and how it is brought back. */
interface Restorable {
  readonly backup: StoredBackup;
  /** Brings it back onto a device that reads as zeros. */
  readonly restore: (target: { readonly device: string; readonly bytes: number }) => Promise<void>;
}

/**
 * The backup of this id, if it can be brought back onto a disk.
 *
 * @param ref the guest of which it is
 * @param haste whether somebody waits for it. Default: somebody does
 * @param source where it lies. Default: this dom0's own repository
 * @throws NotFound, BackupUnusable; InvalidInput when its engine cannot restore
 */
export async function restorable(
  { engines, ...env }: StepEnv,
  ref: Pick<GuestRef, 'name' | 'order'>,
  id: string,
  haste: Haste = 'at once',
  source: BackupSource = env.repository,
): Promise<Restorable> {
  const { backups, damaged } = await source.list(ref.name);
  if (damaged.includes(`${id}.json`))
    throw new GuestflowError(
      'BackupUnusable',
      `the record of backup ${id} of ${ref.name} is not what was written`,
      { field: 'backup' },
      false,
    );
  const backup = backups.find((each) => each.id === id && each.order === ref.order);
  if (backup === undefined) throw new GuestflowError('NotFound', `${ref.name} has no backup ${id} in ${source.name}`, { field: 'backup' });
  const { name, restore } = engines.named(backup.engine, haste);
  if (restore === undefined)
    throw new GuestflowError(
      'InvalidInput',
      `backup ${id} of ${ref.name} was made by ${name}, which restores into a mounted file system: it is restored by hand`,
      { field: 'backup' },
    );
  const container = source.container(backup, haste);
  return { backup, restore: (target) => restore(container, backup, target) };
}

/**
 * Brings the former disk back that a restore has left which could not be undone. The guest is switched off for that. If there is none, it does nothing.
 *
 * @returns whether there was one
 */
export async function settleDisks(env: StepEnv, ref: GuestRef): Promise<{ readonly wasLeft: boolean }> {
  const left = await env.storage.find(ref, 'former').catch((error: unknown) => {
    if (error instanceof GuestflowError && error.type === 'NotFound') return undefined;
    throw error;
  });
  if (left === undefined) return { wasLeft: false };
  await exchangeDisks(env, { ref, spare: 'former' });
  return { wasLeft: true };
}

/**
 * Makes the spare disk `restored` from a backup, as large as the guest's root disk, while the guest goes on. All of it is compared with the backup, and
 * its file system is looked through.
 *
 * @throws InvalidInput when the backup does not fit, or its engine cannot restore; NotFound, BackupUnusable, NoCapacity
 */
export async function fillRestored(env: StepEnv, { ref, id }: { ref: GuestRef; id: string }): Promise<{ readonly bytes: number }> {
  return { bytes: await fillFromBackup(env, ref, { id, role: 'restored' }) };
}

/**
 * Makes a disk from a backup: `restored`, as large as the guest's root disk; `trial`, as large as the file system that was saved. Its size comes back.
 *
 * @throws as `fillRestored`
 */
export async function fillFromBackup(
  env: StepEnv,
  ref: GuestRef,
  { id, role }: { readonly id: string; readonly role: 'restored' | 'trial' },
): Promise<number> {
  const { storage } = env;
  const { backup, restore } = await restorable(env, ref, id, role === 'trial' ? 'in background' : 'at once');
  const bytes = role === 'trial' ? await storage.roundUp(backup.dumpedBytes) : (await storage.find(ref, 'root')).bytes;
  await storage.ensure(ref, {
    role,
    bytes,
    field: 'disk',
    fill: (device) => fillDisk(env, { dumpedBytes: backup.dumpedBytes, restore }, { device, bytes }),
  });
  return bytes;
}

/** A file system that was saved: how large it is, and how it is brought onto a device that reads as zeros. */
interface SavedFs {
  readonly dumpedBytes: number;
  readonly restore: Restorable['restore'];
}

/** Brings a file system that was saved onto a device that reads as zeros; it has the device's size then. */
export async function fillDisk(
  env: StepEnv,
  { dumpedBytes, restore }: SavedFs,
  { device, bytes }: { readonly device: string; readonly bytes: number },
): Promise<void> {
  await restore({ device, bytes });
  await growToDisk(env, { dumpedBytes }, { device, bytes });
}

/** Grows a file system that was brought onto a device to the device's size. */
export async function growToDisk(
  env: StepEnv,
  { dumpedBytes }: Pick<SavedFs, 'dumpedBytes'>,
  { device, bytes }: { readonly device: string; readonly bytes: number },
): Promise<void> {
  if (bytes === dumpedBytes) return;
  const fs = new FileSystem(env, device);
  await fs.check();
  await fs.grow();
}

/** Makes the spare disk of this role the guest's root disk. The guest is switched off first, since xendomains may have started it again. */
export async function exchangeDisks(env: StepEnv, { ref, spare }: { ref: GuestRef; spare: SpareRole }): Promise<void> {
  await stopGuest(env, ref);
  await env.storage.exchange(ref, spare);
}

/** Wipes and removes the spare disk of this role, if there is one, and with it all else that is kept for it. */
export async function dropDisk(env: StepEnv, { ref, role }: { ref: GuestRef; role: SpareRole }): Promise<void> {
  await forgetSpare(env, ref);
  await env.storage.release(ref, role);
}
