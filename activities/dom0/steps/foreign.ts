/** Backups that other dom0s have taken, in directories that an operator has put on this one. Nothing there is changed. */
import type { GuestOrigin } from '../../../contract/guest.ts';
import type { StoredBackup } from '../../../contract/backup.ts';
import { chosenBackup, type ForeignWish } from '../../../contract/chosen-backup.ts';
import { GuestflowError } from '../../../contract/errors.ts';
import type { ForeignBackup } from '../../../contract/step-results.ts';
import { guestSpecSchema } from '../../../contract/wire.ts';
import type { BackupSource } from '../backup/port.ts';
import type { StepEnv } from '../env.ts';
import { recordOf } from './backup.ts';

/**
 * Finds the backup of a guest that lived on another dom0, with what was ordered of it.
 *
 * @throws HostNotReady when this dom0 has no directory of them; NotFound, with where it looked; InvalidInput when guests of several orders have that name
 */
export async function findForeign(env: StepEnv, { name, order, ...wanted }: ForeignWish): Promise<ForeignBackup> {
  const { found, damaged } = await allOf(env, name);
  const orders = new Set(found.map((backup) => backup.order));
  if (order === undefined && orders.size > 1)
    throw new GuestflowError(
      'InvalidInput',
      `several guests were called ${name}: there are backups of the orders ${[...orders].join(', ')}`,
      { field: 'name', value: name, mend: 'leave those of one order in the directory' },
      false,
    );
  const own = found.filter((backup) => order === undefined || backup.order === order);
  const where = env.foreign.map((source) => source.name).join(', ');
  if (own.length === 0)
    throw new GuestflowError(
      'NotFound',
      `there is no backup of ${name}${order === undefined ? '' : ` of order ${order}`} in ${where} on dom0 ${env.settings.host}${inWords(damaged)}`,
      { field: 'backup', mend: `copy the guest's directory of backups there: ${where.split(', ')[0] ?? ''}/${name}` },
    );
  const chosen = chosenBackup(own, wanted);
  if ('whyNone' in chosen)
    throw new GuestflowError('NotFound', `${chosen.whyNone}, in ${where}${inWords(damaged)}`, { field: chosen.field });
  const backup = own.find(({ id }) => id === chosen.found.id) as StoredBackup;
  return { record: recordOf(backup), order: backup.order, dom0: backup.dom0, spec: guestSpecSchema.parse(backup.spec) };
}

function inWords(damaged: readonly string[]): string {
  return damaged.length === 0 ? '' : ` (damaged, or without their files: ${damaged.slice(0, 5).join(', ')})`;
}

/** All backups of a guest in all directories, oldest first. */
async function allOf({ foreign, settings }: StepEnv, name: string): Promise<{ found: StoredBackup[]; damaged: string[] }> {
  if (foreign.length === 0)
    throw new GuestflowError(
      'HostNotReady',
      `dom0 ${settings.host} has no directory of other dom0s' backups`,
      { field: 'foreignRepositories', mend: 'name one in its dom0.yaml (foreignRepositories), and restart its worker' },
      false,
    );
  const found: StoredBackup[] = [];
  const damaged: string[] = [];
  for (const source of foreign) {
    const listing = await source.list(name);
    found.push(...listing.backups);
    damaged.push(...listing.damaged.map((record) => `${source.name}/${name}/${record}`));
  }
  return { found: found.sort((a, b) => (a.takenAt < b.takenAt ? -1 : 1)), damaged };
}

/**
 * The directory that has the backup of an origin on another dom0.
 *
 * @throws HostNotReady, NotFound
 */
export async function sourceOf(
  env: StepEnv,
  { guest, order, backup, dom0 }: GuestOrigin & { readonly dom0: string },
): Promise<BackupSource> {
  await allOf(env, guest);
  for (const source of env.foreign) {
    const { backups } = await source.list(guest);
    if (backups.some((each) => each.id === backup && each.order === order && each.dom0 === dom0)) return source;
  }
  throw new GuestflowError(
    'NotFound',
    `backup ${backup} of ${guest} of order ${order}, which dom0 ${dom0} took, is in none of the directories ${env.foreign.map(({ name }) => name).join(', ')}`,
    { field: 'backup', value: backup },
  );
}
