/** restore-volumes: the disks of a guest that is made from a backup of another one. */
import { GuestflowError } from '../../../contract/errors.ts';
import type { GuestOrder, GuestSpec } from '../../../contract/guest.ts';
import { formatSize } from '../../../contract/sizes.ts';
import type { VolumesResult } from '../../../contract/step-results.ts';
import type { StepEnv } from '../env.ts';
import { sourceOf } from './foreign.ts';
import { fillDisk, restorable } from './restore.ts';
import { makeSwapDisk } from './lvm-migration.ts';

/**
 * Looks whether the backup of an order can be brought back onto its disk.
 *
 * @throws NotFound, BackupUnusable; InvalidInput when it does not fit, with numbers
 */
export async function originOf(
  env: StepEnv,
  { origin, size, name }: Pick<GuestOrder, 'origin' | 'size' | 'name'>,
): Promise<Awaited<ReturnType<typeof restorable>>> {
  if (origin === undefined) throw new GuestflowError('InvalidInput', `the order of ${name} names no backup`, { field: 'origin' }, false);
  const source = origin.dom0 === undefined ? env.repository : await sourceOf(env, { ...origin, dom0: origin.dom0 });
  const found = await restorable(env, { name: origin.guest, order: origin.order }, origin.backup, 'at once', source);
  // debugfs (1.47) removes names of a directory that lies in its inode only in part.
  if (origin.isItself !== true && found.backup.fileSystem.features.includes('inline_data'))
    throw new GuestflowError(
      'InvalidInput',
      `backup ${origin.backup} of ${origin.guest} is a file system with inline_data, in which no other machine can be made of it while it is off`,
      { field: 'backup', mend: 'restore it by hand: docs/restore.md' },
      false,
    );
  const shortBytes = found.backup.dumpedBytes - size.diskBytes;
  if (shortBytes <= 0) return found;
  throw new GuestflowError(
    'InvalidInput',
    `backup ${origin.backup} of ${origin.guest} is a file system of ${formatSize(found.backup.dumpedBytes)}, and the disk of ${name} has ${formatSize(size.diskBytes)}: ${formatSize(shortBytes)} too little`,
    { field: 'disk', value: formatSize(size.diskBytes) },
  );
}

/**
 * Makes the guest's disks: root from the backup, swap anew. Of another guest's backup it is made its own before it counts as whole, so that it never starts as
 * that guest; of its own backup it stays the machine that it was.
 */
export async function restoreVolumes(env: StepEnv, spec: GuestSpec): Promise<VolumesResult> {
  const { storage } = env;
  const { backup, restore } = await originOf(env, spec);
  const bytes = await storage.roundUp(spec.size.diskBytes);
  await storage.ensure(spec, {
    role: 'root',
    bytes,
    field: 'disk',
    fill: async (device) => {
      await fillDisk(env, { dumpedBytes: backup.dumpedBytes, restore }, { device, bytes });
      if (spec.origin?.isItself === true) return;
      env.progress(`making a machine of its own of the copy of ${backup.guest}`);
      await env.kindOf(spec).makePersonal(spec, device, { network: backup.spec.network });
    },
  });
  await makeSwapDisk(env, spec);
  return { root: storage.device(spec.name, 'root'), swap: storage.device(spec.name, 'swap'), copiedBytes: backup.dumpedBytes };
}
