/** What is on this dom0 of a guest that Temporal does not know (any more): enough for a workflow to take it over. Changes nothing. */
import { defined } from '../../../contract/defined.ts';
import { GuestflowError } from '../../../contract/errors.ts';
import { guestSpecSchema } from '../../../contract/wire.ts';
import { isGood, type StoredBackup } from '../../../contract/backup.ts';
import type { GuestRef, GuestSpec } from '../../../contract/guest.ts';
import type { FoundGuest } from '../../../contract/step-results.ts';
import type { StepEnv } from '../env.ts';
import { mustOwn } from '../marks.ts';
import { ownDisk, recordOf } from './backup.ts';

/**
 * Looks at a guest's disks, cfg, domain and backups. What was ordered is in the record of its last backup.
 *
 * @throws NotFound when there is no backup of this order, or a disk is missing; NotOurs; InvalidInput when the record does not say what a guest needs
 */
export async function findGuest(env: StepEnv, ref: GuestRef): Promise<FoundGuest> {
  const { storage, toolstack, repository } = env;
  const { name } = ref;
  const cfg = await toolstack.readCfg(name);
  if (cfg === undefined)
    throw new GuestflowError('NotFound', `${name} has no ${toolstack.cfgPath(name)}: it is not whole`, { field: 'name' });
  mustOwn(cfg.owner, ref, cfg.path);
  const root = await storage.find(ref, 'root');
  await storage.find(ref, 'swap');
  const backups = (await repository.list(name)).backups.filter(({ order }) => order === ref.order);
  const last = backups.findLast(isGood);
  if (last === undefined)
    throw new GuestflowError(
      'NotFound',
      `${name} of order ${ref.order} has no verified backup in ${repository.name}: nothing says what was ordered`,
      {
        field: 'name',
      },
    );
  const recorded = specOf(ref, last);
  const spec = { ...recorded, size: { ...recorded.size, diskBytes: root.bytes } };
  const wish = { spec, disks: 'volume', onCrash: 'restart' } as const;
  const warnings = env.kindOf(spec).misread((await toolstack.tryCfg(cfg.path)).config, wish);
  const former = await ownDisk(env, ref, 'former');
  const rescue = await ownDisk(env, ref, 'rescue');
  return {
    spec,
    phase: rescue?.open === true ? 'rescue' : await phaseOf(env, ref),
    backups: backups.map(recordOf),
    ...defined({ formerBytes: former?.bytes, rescueBytes: rescue?.bytes }),
    warnings: warnings.map((what) => `${cfg.path}: ${what}, as the record of backup ${last.id} says`),
  };
}

/** What was ordered and decided, checked again: the record is a file. */
function specOf(ref: GuestRef, { id, spec }: StoredBackup): GuestSpec {
  const { success, data, error } = guestSpecSchema.safeParse(spec);
  const issue = error?.issues[0];
  if (!success)
    throw new GuestflowError(
      'InvalidInput',
      `the record of backup ${id} of ${ref.name} does not say what a guest needs: ${issue?.path.join('.') ?? ''} ${issue?.message ?? ''}`,
      { field: 'spec' },
      false,
    );
  if (data.name === ref.name && data.order === ref.order && data.dom0 === ref.dom0) return data;
  throw new GuestflowError('NotOurs', `the record of backup ${id} is of guest ${data.name}, order ${data.order}, on dom0 ${data.dom0}`, {
    field: 'name',
    value: ref.name,
  });
}

/** A guest that starts with its dom0 is to run, even if its domain has just ended. */
async function phaseOf({ toolstack }: StepEnv, ref: GuestRef): Promise<FoundGuest['phase']> {
  const domain = await toolstack.findOwn(ref);
  if (domain?.state === 'paused') return 'suspended';
  return domain !== undefined || (await toolstack.hasAutostart(ref.name)) ? 'running' : 'stopped';
}
