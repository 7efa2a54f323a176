/** Operations that were recorded on one dom0, on another: they call the same there. */
import { aimed, type OperationPlay } from './operation-tape.ts';
import type { Stage } from './stage.ts';
import type { Matrix } from './step-faults.ts';

/**
 * @param stage the other dom0
 * @param only the activities that meet faults there
 * @param what how its cases are told from those of the first dom0: `in borg`
 */
export async function movedPlay(
  matrix: Matrix,
  play: OperationPlay,
  { stage, only, what }: { readonly stage: Stage; readonly only: readonly string[]; readonly what: string },
): Promise<OperationPlay> {
  const forward = play.forward.map((entry) => aimed(entry, play.row, stage, matrix.host));
  const rehearsals = await matrix.stages.rehearse(stage, matrix.host, forward);
  const row = { ...play.row, name: `${play.row.name}, ${what}` };
  const wanted = { ...play.wanted, row, before: stage.snapshot, after: rehearsals.at(-1)?.after.snapshot ?? stage.snapshot };
  return { ...play, only, row, stage, forward, rehearsals, wanted };
}

/** The plays of these rows of the table. */
export function playsOf(plays: readonly OperationPlay[], rows: readonly string[]): OperationPlay[] {
  return rows.map((name) => {
    const play = plays.find(({ row }) => row.name === name);
    if (play === undefined) throw new Error(`the table has no row ${name}`);
    return play;
  });
}
