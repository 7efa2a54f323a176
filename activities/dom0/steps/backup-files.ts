/** A guest's backup, unpacked and connected to the gateway of this dom0's settings, so that its files can be looked at. */
import type { StoredBackup } from '../../../contract/backup.ts';
import { filesContext, type FilesWish } from '../../../contract/backup-files.ts';
import { GuestflowError } from '../../../contract/errors.ts';
import type { GuestRef } from '../../../contract/guest.ts';
import type { StepEnv } from '../env.ts';
import { openToken } from '../password-key.ts';
import { restorable } from './restore.ts';

/** What opens a backup for the gateway. */
export interface Opener {
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
