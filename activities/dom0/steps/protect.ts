/** Backups that retention may not remove. */
import { GuestflowError } from '../../../contract/errors.ts';
import { MOST_PROTECTED, type BackupRecord } from '../../../contract/backup.ts';
import type { GuestRef } from '../../../contract/guest.ts';
import type { StepEnv } from '../env.ts';
import { recordOf } from './backup.ts';

/**
 * Protects a backup from retention, or leaves it to it again. A backup that is as it should be stays so.
 *
 * @returns the backup as it is then
 * @throws NotFound; InvalidInput when as many are protected as may be
 */
export async function setProtected(
  { repository }: StepEnv,
  { ref, id, isProtected }: { readonly ref: GuestRef; readonly id: string; readonly isProtected: boolean },
): Promise<BackupRecord> {
  const own = (await repository.list(ref.name)).backups.filter(({ order }) => order === ref.order);
  const found = own.find((backup) => backup.id === id);
  if (found === undefined)
    throw new GuestflowError('NotFound', `${ref.name} has no backup ${id} in ${repository.name}`, { field: 'backup' });
  const others = own.filter((backup) => backup.isProtected === true && backup.id !== id);
  if (isProtected && others.length >= MOST_PROTECTED)
    throw new GuestflowError(
      'InvalidInput',
      `${others.length} backups of ${ref.name} are protected, and no more can be: ${others.map((backup) => backup.id).join(', ')}`,
      { field: 'backup', value: id, mend: 'leave one of them to retention: guestflow backups NAME --unprotect ID' },
    );
  return recordOf(await repository.protect(found, isProtected));
}
