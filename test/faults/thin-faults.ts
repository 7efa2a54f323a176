/** A dom0 whose disks lie in a thin pool: of an order, of its undo and of operations, each call of a step that touches disks meets each fault there, too. */
import { thinPoolVolume } from '../../fake/lvm-thin.ts';
import type { Case } from './case.ts';
import { movedPlay, playsOf } from './moved-plays.ts';
import type { OperationPlay } from './operation-tape.ts';
import type { Stage } from './stage.ts';
import { stepFaultCases, type Matrix } from './step-faults.ts';
import { rehearseUndos, undoFaultCases } from './undo-faults.ts';
import { SETTINGS_FILE } from './world.ts';

const POOL = { name: 'guests', bytes: 32 * 2 ** 30 };
/** What touches disks in an order by the how-to, and what another recipe does otherwise. */
const OF_AN_ORDER = {
  'how-to': /^(step\/\d+ makeVolumes|undo\/.*removeVolumes)/,
  direct: /^step\/\d+ (makeGoldenVolumes|ensureGoldenRoot\/.*golden-)/,
};
const ROWS = [
  'backup',
  'restore',
  'undo of a restore',
  'larger disk while it runs',
  'larger disk',
  'smaller disk',
  'terminate',
  'undelete',
  'terminate now',
];
const ONLY = [
  'takeBackup',
  'fillRestored',
  'exchangeDisks',
  'growDiskInUse',
  'growDisk',
  'tryReducing',
  'reduceDisk',
  'setAsideVolumes',
  'bringBackVolumes',
  'removeVolumes',
];

/** The same dom0, whose guests' disks lie in a thin pool. */
async function inThinPool({ stages, host }: Matrix, stage: Stage): Promise<Stage> {
  return await stages.on(stage, host, async (world) => {
    await world.dom0.host().files.writeAtomic(SETTINGS_FILE, `thinPool: ${POOL.name}\n`);
    const { volumes } = world.dom0.state;
    for (const volume of volumes) {
      volume.thinPool = POOL.name;
      delete volume.places;
    }
    volumes.push(thinPoolVolume(POOL));
    return { ...stages.keep(world), atMs: stage.atMs };
  });
}

/** @param matrix that of an order by this recipe */
export async function thinOrderCases(matrix: Matrix, recipe: keyof typeof OF_AN_ORDER): Promise<Case[]> {
  const start = await inThinPool(matrix, matrix.start);
  const rehearsals = await matrix.stages.rehearse(start, matrix.host, matrix.tape.forward);
  const thin = { ...matrix, start, rehearsals };
  const cases = [...stepFaultCases(thin), ...(recipe === 'direct' ? [] : undoFaultCases(thin, await rehearseUndos(thin)))];
  return cases.filter(({ name }) => OF_AN_ORDER[recipe].test(name)).map((each) => ({ ...each, name: `thin/${each.name}` }));
}

export async function thinPlays(matrix: Matrix, plays: readonly OperationPlay[]): Promise<OperationPlay[]> {
  const moved: OperationPlay[] = [];
  for (const play of playsOf(plays, ROWS))
    moved.push(await movedPlay(matrix, play, { stage: await inThinPool(matrix, play.stage), only: ONLY, what: 'in a thin pool' }));
  return moved;
}
