/** A guest's backup, unpacked and connected to the gateway of this dom0's settings, so that its files can be looked at. */
import type { StoredBackup } from '../../../contract/backup.ts';
import { filesContext, type FilesWish } from '../../../contract/backup-files.ts';
import { GuestflowError } from '../../../contract/errors.ts';
import type { GuestRef } from '../../../contract/guest.ts';
import type { StepEnv } from '../env.ts';
import { openToken } from '../password-key.ts';
import { removeBackups } from './backup.ts';
import { restorable } from './restore.ts';

/** What opens a backup for the gateway. */
export interface Opener {
  /** Ends what is open of a guest, and returns when nothing of it is left. */
  end(guest: string, reason: 'gone'): Promise<void>;
  attach(request: { readonly id: string; readonly token: string; readonly backup: StoredBackup }): Promise<void>;
}

export interface FilesInput {
  readonly ref: GuestRef;
  readonly files: FilesWish;
}

/**
 * Opens it, and returns when it is connected: it outlives the step. Nothing of it is tried again, since its token is good once.
 *
 * @throws GuestflowError NotFound, BackupUnusable; InvalidInput when its engine keeps no files that can be read; HostNotReady; Busy; Unreachable
 */
export async function openFiles(
  env: StepEnv,
  opener: Opener,
  { ref, files: { id, token: box, backup: backupId } }: FilesInput,
): Promise<void> {
  const { backup } = await restorable(env, ref, backupId);
  if (backup.state === 'unusable')
    throw new GuestflowError('BackupUnusable', `backup ${backupId} of ${ref.name} cannot be used`, { field: 'backup' });
  const token = await openToken(env, box, filesContext(id, ref.name, backupId));
  await opener.attach({ id, token, backup });
}

/** Removes all backups of a guest, and what is unpacked of one. */
export async function removeOpenedBackups(env: StepEnv, opener: Opener, ref: GuestRef): Promise<void> {
  await opener.end(ref.name, 'gone');
  await removeBackups(env, ref);
}
