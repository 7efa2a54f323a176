/** Brings a whole file system back from a repository's directory. The engine compares all of it with what is in the backup. */
import { GuestflowError } from '../../../../contract/errors.ts';
import { engineNamed } from '../engines/engines.ts';
import type { Engine } from '../port.ts';
import type { FoundBackup } from '../repositories/reading.ts';
import type { HandWork } from '../../work.ts';
import { withContainer } from './container.ts';
import { openTarget } from './target.ts';

/** The engine of a backup, and its way to restore. @throws InvalidInput when that is by hand */
function restorerOf(work: HandWork, backup: FoundBackup): NonNullable<Engine['restore']> {
  const { restore } = engineNamed(work, backup.engine);
  if (restore !== undefined) return restore;
  throw new GuestflowError(
    'InvalidInput',
    `backup ${backup.id} of ${backup.guest} was taken by ${backup.engine}, which only restore(8) brings back`,
    {
      field: 'backup',
      value: backup.id,
      mend: `zstd -dcq ${backup.path} | restore -rf - in a new file system: docs/restore.md`,
    },
  );
}

/**
 * @param how `to`: absolute path of a block device, or of a file to be made; `overwrite`: what is there may go; `passphraseFile`: of a borg repository
 * @returns where it is now
 * @throws InvalidInput, Busy before anything is changed; BackupUnusable when the backup is not what was written. Nothing that looks whole is left then.
 */
export async function restoreWhole(
  work: HandWork,
  backup: FoundBackup,
  { to, overwrite, passphraseFile }: { readonly to: string; readonly overwrite: boolean; readonly passphraseFile: string },
): Promise<{ readonly bytes: number }> {
  const restore = restorerOf(work, backup);
  return await withContainer(work, backup, passphraseFile, async (container) => {
    const target = await openTarget(work, to, { bytes: backup.dumpedBytes, overwrite });
    try {
      await restore(container, backup, target);
      await target.commit();
      return { bytes: target.bytes };
    } finally {
      await target.discard();
    }
  });
}
