/** Removes backups of a guest. The workflow names them by their ids; the dom0 refuses to remove the last one. */
import { GuestflowError } from '../../../contract/errors.ts';
import { isGood, type BackupRecord, type Pruned } from '../../../contract/backup.ts';
import type { GuestRef } from '../../../contract/guest.ts';
import type { StepEnv } from '../env.ts';
import { recordOf } from './backup.ts';

/** The guest's backups, oldest first, and the names of damaged records. */
export async function listBackups({ repository }: StepEnv, ref: GuestRef): Promise<{ backups: BackupRecord[]; damaged: string[] }> {
  const { backups, damaged } = await repository.list(ref.name);
  return { backups: backups.filter(({ order }) => order === ref.order).map(recordOf), damaged: [...damaged] };
}

/** Removes these backups. */
export async function pruneBackups(
  env: StepEnv,
  { ref, ids }: { ref: GuestRef; ids: readonly string[] },
): Promise<Pick<Pruned, 'removed' | 'freedBytes'>> {
  const { repository } = env;
  const { backups, damaged } = await repository.list(ref.name);
  const [gone, left] = [backups.filter(({ id }) => ids.includes(id)), backups.filter(({ id }) => !ids.includes(id))];
  const kept = gone.find(({ isProtected }) => isProtected === true);
  if (kept !== undefined) throw refusal(ref, `${kept.id} is protected`);
  const newest = gone.at(-1);
  if (newest !== undefined && !left.some((each) => each.id > newest.id && isGood(each)))
    throw refusal(ref, `no newer one than ${newest.id} is verified`);
  if (gone.some(({ state }) => state === 'proven') && !left.some(({ state }) => state === 'proven'))
    throw refusal(ref, 'the last one that was proven is among them');
  env.progress(`removing ${gone.length} backups of ${ref.name}`);
  // A backup whose record is damaged is left to a person.
  const freedBytes = await repository.remove(
    ref,
    ids.filter((id) => !damaged.includes(`${id}.json`)),
  );
  return { removed: [...ids], freedBytes };
}

function refusal({ name }: GuestRef, why: string): GuestflowError {
  return new GuestflowError('InvalidInput', `backups of ${name} are not removed: ${why}`, { field: 'ids' }, false);
}
