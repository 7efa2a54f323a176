/**
 * The recipes other than the how-to. `direct`: each of its steps fails for good, and is undone; and each fault in each step that does something else there than in
 * the how-to, since the guest has not run yet. `from-backup`: each fault in the step that makes the volumes, and in those after it up to the first boot.
 */
import type { BackupRecord } from '../../contract/backup.ts';
import type { Case } from './case.ts';
import { perform } from './perform.ts';
import type { Stage } from './stage.ts';
import { entryName, stepFaultCases, type Matrix } from './step-faults.ts';
import { inTheNameOf, type Entry } from './tape.ts';
import { FORMER_TENANT } from './world.ts';

const DIFFERENT_IN_DIRECT = /^step\/\d+ (ensureGoldenRoot|makeGoldenVolumes|fixCfg|bootGuest)\//;
const DIFFERENT_FROM_BACKUP = /^step\/\d+ (planGuest|restoreVolumes|fixCfg)\//;
const ORIGIN = 'origin';

function named(recipe: string, cases: readonly Case[]): Case[] {
  return cases.map((each) => ({ ...each, name: `${recipe}/${each.name}` }));
}

/** @param direct the matrix of a tape of that recipe */
export function directCases(direct: Matrix): Case[] {
  const { forward, complaints } = direct.tape;
  const failing = forward.map((_, index): Case => ({
    name: `undone after ${entryName(forward, index)} failed`,
    run: () => Promise.resolve({ end: 'as before', complaints: complaints[index] ?? ['it is not on the tape'] }),
  }));
  return named('direct', [...failing, ...stepFaultCases(direct).filter(({ name }) => DIFFERENT_IN_DIRECT.test(name))]);
}

/** A dom0 on which there is a backup of a guest that has gone. */
async function withBackup({ host, stages, start, tape }: Matrix): Promise<{ readonly stage: Stage; readonly backup: string }> {
  return stages.on(start, host, async (world) => {
    const done = async (entry: Entry): Promise<unknown> => {
      const outcome = await perform(world, inTheNameOf(entry, ORIGIN));
      if (!outcome.isOk) throw outcome.error;
      return outcome.value;
    };
    for (const entry of tape.forward) await done(entry);
    const { id: backup } = (await done(tape.firstBackup)) as BackupRecord;
    // Everything but its backups.
    for (const entry of tape.undo.at(-1) ?? []) await done(entry);
    // What its snapshot has left there is not what is looked for.
    world.dom0.state.freeResidue = [FORMER_TENANT];
    world.dom0.state.freed = [];
    return { stage: stages.keep(world), backup };
  });
}

/** The how-to's tape, with volumes from that backup in the place of image and migration. */
async function fromBackup(matrix: Matrix): Promise<Matrix> {
  const { stage, backup } = await withBackup(matrix);
  const { tape, stages, host } = matrix;
  const origin = {
    guest: ORIGIN,
    order: inTheNameOf({ order: (tape.forward[0]?.input as { order: string }).order }, ORIGIN).order,
    backup,
  };
  const withOrigin = (input: unknown): unknown => {
    if (typeof input !== 'object' || input === null) return input;
    const fields = Object.entries(input).map(([key, value]): [string, unknown] => [
      key,
      key === 'spec' || key === 'order' ? withOrigin(value) : value,
    ]);
    return { ...Object.fromEntries(fields), ...('size' in input ? { origin } : {}) };
  };
  const isSkipped = ({ activity, input }: Entry, index: number): boolean =>
    ['ensureGolden', 'createImage', 'setWallclock', 'stopGuest', 'dropImage'].includes(activity) ||
    (activity === 'fixCfg' && (input as { disks: string }).disks === 'image') ||
    (activity === 'bootGuest' && tape.forward.slice(index + 1).some((later) => later.activity === 'bootGuest'));
  const kept = [...tape.forward.entries()].filter(([index, entry]) => !isSkipped(entry, index));
  const forward = kept.map(([, entry]): Entry => ({
    ...entry,
    activity: entry.activity === 'makeVolumes' ? 'restoreVolumes' : entry.activity,
    input: withOrigin(entry.input),
  }));
  const undo = kept.map(([index]) => tape.undo[index] ?? []);
  const rehearsals = await stages.rehearse(stage, host, forward);
  return { ...matrix, start: stage, tape: { ...tape, forward, undo }, rehearsals };
}

/** @param matrix that of the how-to */
export async function fromBackupCases(matrix: Matrix): Promise<Case[]> {
  return named(
    'from-backup',
    stepFaultCases(await fromBackup(matrix)).filter(({ name }) => DIFFERENT_FROM_BACKUP.test(name)),
  );
}

/** What the recipes call that the how-to does not. */
export const CALLED_BY_RECIPES: readonly string[] = ['ensureGoldenRoot', 'makeGoldenVolumes', 'restoreVolumes'];
