/** Every process and every change of a file of every undo × every fault that passes; and steps that end half-done, undone at once. */
import type { FakeCall, FaultKind } from '../../fake/index.ts';
import type { Case, Verdict } from './case.ts';
import { perform, UNDO_ATTEMPTS } from './perform.ts';
import type { Rehearsal } from './stage.ts';
import { entryName, faultsOf, isLook, nameOf, strike, undone, type Matrix } from './step-faults.ts';
import type { Entry } from './tape.ts';

/** Positions on the tape after which another list of undos holds. */
function turningPoints({ tape }: Matrix): number[] {
  const lists = tape.undo.map((entries) => entries.map(({ activity }) => activity).join(' '));
  return lists.flatMap((list, index) => (list === lists[index + 1] ? [] : [index]));
}

async function runUndoFault(
  matrix: Matrix,
  rehearsal: Rehearsal,
  rest: readonly Entry[],
  call: FakeCall,
  kind: FaultKind,
): Promise<Verdict> {
  return matrix.stages.on(rehearsal.from, matrix.host, async (world) => {
    strike(world, call, kind);
    const outcome = await perform(world, rehearsal.entry, { attempts: UNDO_ATTEMPTS });
    const verdict = await undone(matrix, world, rest);
    return outcome.isOk ? verdict : { ...verdict, complaints: [`one fault was too much: ${outcome.error.message}`, ...verdict.complaints] };
  });
}

/** Faults of undos. Their calls are found by undoing each list once. */
export async function undoFaultCases(matrix: Matrix): Promise<Case[]> {
  const cases: Case[] = [];
  for (const point of turningPoints(matrix)) {
    const [entries, done] = [matrix.tape.undo[point] ?? [], matrix.rehearsals[point]];
    if (done === undefined) continue;
    const rehearsals = await matrix.stages.rehearse(done.after, matrix.host, entries);
    rehearsals.forEach((rehearsal, at) => {
      for (const call of rehearsal.calls) {
        for (const kind of faultsOf(call).filter((each) => each !== 'fail-always')) {
          cases.push({
            name: `undo/after ${entryName(matrix.tape.forward, point)}/${entryName(entries, at)}/${nameOf(call)}/${kind}`,
            run: () => runUndoFault(matrix, rehearsal, entries.slice(at + 1), call, kind),
          });
        }
      }
    });
  }
  return cases;
}

async function runHalf(matrix: Matrix, index: number, rehearsal: Rehearsal, call: FakeCall, kind: FaultKind): Promise<Verdict> {
  return matrix.stages.on(rehearsal.from, matrix.host, async (world) => {
    strike(world, call, kind);
    await perform(world, rehearsal.entry, { attempts: 1 });
    world.dom0.faults.restart();
    return undone(matrix, world, matrix.tape.undo[index] ?? []);
  });
}

/** A worker that is killed and does not come back for the step, only for its undo. */
export function halfDoneCases(matrix: Matrix): Case[] {
  return matrix.rehearsals.flatMap((rehearsal, index) =>
    rehearsal.calls
      .filter((call) => !isLook(call))
      .flatMap((call) =>
        (['kill-before', 'kill-middle', 'kill-after'] as const).map((kind): Case => ({
          name: `half/${entryName(matrix.tape.forward, index)}/${nameOf(call)}/${kind}`,
          run: () => runHalf(matrix, index, rehearsal, call, kind),
        })),
      ),
  );
}
