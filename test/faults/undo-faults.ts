/** Every process and every change of a file of every undo × every fault that passes; and steps that end half-done, undone at once. */
import type { FakeCall, FaultKind } from '../../fake/index.ts';
import type { Case, Verdict } from './case.ts';
import { mended, verbOf } from './conditions.ts';
import { comparable } from './invariants.ts';
import { perform, undo, UNDO_ATTEMPTS } from './perform.ts';
import type { Rehearsal, Stage } from './stage.ts';
import { entryName, firstTimes, killsAt, nameOf, strike, strikesAt, undone, type Matrix } from './step-faults.ts';
import type { Entry } from './tape.ts';
import { settingsOf, type World } from './world.ts';

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

/** An order that is undone after a call of it, with nothing in the way. */
export interface UndoPlay {
  /** The call's position on the tape. */
  readonly point: number;
  readonly from: Stage;
  readonly entries: readonly Entry[];
  readonly rehearsals: readonly Rehearsal[];
  /** What is done in the undo, and in no call of the order up to it. */
  readonly ownVerbs: readonly string[];
}

/** Undoes each list of undos once: so their calls are found. */
export async function rehearseUndos(matrix: Matrix): Promise<UndoPlay[]> {
  const plays: UndoPlay[] = [];
  for (const point of turningPoints(matrix)) {
    const [entries, done] = [matrix.tape.undo[point] ?? [], matrix.rehearsals[point]];
    if (done === undefined) continue;
    const rehearsals = await matrix.stages.rehearse(done.after, matrix.host, entries);
    const usual = new Set(matrix.rehearsals.slice(0, point + 1).flatMap(({ calls }) => calls.map(verbOf)));
    const verbs = new Set(rehearsals.flatMap(({ calls }) => calls.map(verbOf)));
    plays.push({ point, from: done.after, entries, rehearsals, ownVerbs: [...verbs].filter((verb) => !usual.has(verb)) });
  }
  return plays;
}

/** Faults of undos. */
export function undoFaultCases(matrix: Matrix, plays: readonly UndoPlay[]): Case[] {
  const isNew = firstTimes((snapshot) => comparable(snapshot, settingsOf(matrix.host)));
  return plays.flatMap(({ point, entries, rehearsals }) =>
    rehearsals.flatMap((rehearsal, at) =>
      strikesAt(isNew(rehearsal, entries.slice(at + 1)) ? rehearsal.calls : [])
        .filter(({ kind }) => kind !== 'fail-always')
        .map(({ call, kind }) => ({
          name: `undo/after ${entryName(matrix.tape.forward, point)}/${entryName(entries, at)}/${nameOf(call)}/${kind}`,
          run: () => runUndoFault(matrix, rehearsal, entries.slice(at + 1), call, kind),
        })),
    ),
  );
}

/** A tool fails each time. */
export function breakTool({ dom0 }: World, verb: string): void {
  dom0.faults.add({ kind: 'fail-always', match: (call) => verbOf(call) === verb });
}

/** A tool that only the undo needs fails as long as it is undone: what an order has used itself, the broken tools of its steps try. */
export function brokenUndoCases(matrix: Matrix, plays: readonly UndoPlay[]): Case[] {
  return plays.flatMap(({ point, from, entries, ownVerbs }) =>
    ownVerbs.map((verb) => ({
      name: `undo/after ${entryName(matrix.tape.forward, point)}/${verb} fails each time`,
      run: () =>
        matrix.stages.on(from, matrix.host, async (world) => {
          breakTool(world, verb);
          const failed = await undo(world, entries);
          const notFired = world.dom0.faults.fired.length > 0 ? [] : [`${verb} was not called`];
          const verdict = await mended(matrix, world, failed);
          return { ...verdict, complaints: [...notFired, ...verdict.complaints] };
        }),
    })),
  );
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
    killsAt(rehearsal.calls).map(({ call, kind }): Case => ({
      name: `half/${entryName(matrix.tape.forward, index)}/${nameOf(call)}/${kind}`,
      run: () => runHalf(matrix, index, rehearsal, call, kind),
    })),
  );
}
