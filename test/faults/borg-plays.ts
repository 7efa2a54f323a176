/** Operations on a dom0 that keeps its backups in borg: they call what was recorded, on a dom0 whose settings say so. */
import { movedPlay, playsOf } from './moved-plays.ts';
import type { OperationPlay } from './operation-tape.ts';
import { perform } from './perform.ts';
import type { Stage } from './stage.ts';
import type { Matrix } from './step-faults.ts';
import { SETTINGS_FILE } from './world.ts';

/** One that makes an archive and removes another, and one that reads an archive. What else they do has nothing to do with borg. */
const ONLY = ['takeBackup', 'pruneBackups', 'fillRestored'];
const ROWS = ['backup that takes the place of the one before', 'restore'];

const DAY_MS = 86_400_000;

/** The same dom0, on which a backup has been taken into borg, and none is in a file. */
async function withBorg(matrix: Matrix, { stage, forward }: OperationPlay): Promise<Stage> {
  const said = await matrix.stages.on(stage, matrix.host, async (world) => {
    await world.dom0.host().files.writeAtomic(SETTINGS_FILE, 'backupRepository: borg\n');
    return matrix.stages.keep(world);
  });
  const take = forward.find(({ activity }) => activity === 'takeBackup');
  return await matrix.stages.on(said, matrix.host, async (world) => {
    for (const entry of [{ activity: 'prepare', input: undefined, isControl: false }, ...(take === undefined ? [] : [take])]) {
      const outcome = await perform(world, entry);
      if (!outcome.isOk) throw outcome.error;
    }
    return { ...matrix.stages.keep(world), atMs: stage.atMs + DAY_MS };
  });
}

export async function borgPlays(matrix: Matrix, plays: readonly OperationPlay[]): Promise<OperationPlay[]> {
  const chosen = playsOf(plays, ROWS);
  const [backup] = chosen;
  if (backup === undefined) return [];
  const stage = await withBorg(matrix, backup);
  const moved: OperationPlay[] = [];
  for (const play of chosen) moved.push(await movedPlay(matrix, play, { stage, only: ONLY, what: 'in borg' }));
  return moved;
}
