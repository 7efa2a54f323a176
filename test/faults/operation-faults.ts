/** Every process and every change of a file of every operation, and of its undo, × every fault: on the fake dom0 alone. */
import type { FakeCall, FaultKind } from '../../fake/index.ts';
import { borgPlays } from './borg-plays.ts';
import type { Case, Verdict } from './case.ts';
import { asItWas, asWanted, leftOf, settled } from './operation-invariants.ts';
import { inexact, saidToBeLeft } from './lists.ts';
import { isDoneBefore, type OperationPlay } from './operation-tape.ts';
import { perform, undo, UNDO_ATTEMPTS } from './perform.ts';
import type { Rehearsal, Stage } from './stage.ts';
import { beforeOf, entryName, firstTimes, killsAt, nameOf, strike, strikesAt, type Matrix } from './step-faults.ts';
import { GUEST, type Entry } from './tape.ts';
import { thinPlays } from './thin-faults.ts';
import { comparable, type Complaints } from './invariants.ts';
import { orderOf, refOf, type World } from './world.ts';
import { performCancelled } from './interruptions.ts';

function isAt(play: OperationPlay, world: World, { snapshot }: Stage): boolean {
  const { settings, guest } = play.wanted;
  return JSON.stringify(settled(world.snapshot(), settings, guest)) === JSON.stringify(settled(snapshot, settings, guest));
}

/** Asked for again when nothing is wrong any more, it is done. */
async function again(matrix: Matrix, play: OperationPlay, world: World): Promise<Complaints> {
  const said = await saidToBeLeft(world, refOf(orderOf(GUEST, matrix.host)));
  const list = inexact(said, leftOf(play.wanted, beforeOf(matrix), world.snapshot()));
  world.dom0.faults.restart();
  for (const entry of play.forward) {
    const outcome = await perform(world, entry);
    if (!outcome.isOk) return [...list, `asked for again, ${entry.activity} failed: ${outcome.error.message}`];
  }
  return [...list, ...asWanted(play.wanted, world.snapshot())];
}

/** What follows when a step has failed for good: its undo, or the removal of all else. */
async function failed(matrix: Matrix, play: OperationPlay, world: World, index: number): Promise<Verdict> {
  const entry = play.forward[index];
  if (entry !== undefined && isDoneBefore(play, index))
    return { end: 'as ordered', complaints: [...(await undo(world, [entry])), ...asWanted(play.wanted, world.snapshot())] };
  const stuck = await undo(world, play.undo[index] ?? []);
  if (play.row.isRemoval !== true && stuck.length === 0) return { end: 'as before', complaints: asItWas(play.wanted, world.snapshot()) };
  return { end: 'needs cleanup, then as ordered', complaints: await again(matrix, play, world) };
}

/** The operation goes on from a step that was done, or it is undone. */
async function conclude(matrix: Matrix, play: OperationPlay, world: World, index: number, isOk: boolean): Promise<Verdict> {
  world.dom0.faults.restart();
  world.startWorker();
  const rehearsal = play.rehearsals[index];
  if (!isOk || rehearsal === undefined) return failed(matrix, play, world, index);
  if (play.row.kind === 'backup' || !isAt(play, world, rehearsal.after)) {
    for (const [at_, entry] of play.forward.entries())
      if (at_ > index && !(await perform(world, entry)).isOk) return failed(matrix, play, world, at_);
    return { end: 'as ordered', complaints: asWanted(play.wanted, world.snapshot()) };
  }
  return { end: 'as ordered', complaints: [] };
}

async function runFault(matrix: Matrix, play: OperationPlay, index: number, call: FakeCall, kind: FaultKind): Promise<Verdict> {
  const rehearsal = rehearsalAt(play, index);
  return matrix.stages.on(rehearsal.from, matrix.host, async (world) => {
    strike(world, call, kind);
    const outcome = await perform(world, rehearsal.entry);
    const notFired = world.dom0.faults.fired.length > 0 ? [] : ['the fault did not happen: the activity is not the same twice'];
    const verdict = await conclude(matrix, play, world, index, outcome.isOk);
    const gaveUp = kind.startsWith('kill') && verdict.end !== 'as ordered' ? ['it could not go on after the kill'] : [];
    return { ...verdict, complaints: [...notFired, ...gaveUp, ...verdict.complaints, ...unknownTo(world)] };
  });
}

function unknownTo(world: World): Complaints {
  return world.dom0.unknown.map((line) => `unknown to the fake: ${line}`);
}

function rehearsalAt({ rehearsals, row }: OperationPlay, index: number): Rehearsal {
  const rehearsal = rehearsals[index];
  if (rehearsal === undefined) throw new Error(`${row.name} has no call ${String(index)}`);
  return rehearsal;
}

/** Killed, and nobody comes back for the step, only for what follows its failure. */
async function runHalf(matrix: Matrix, play: OperationPlay, index: number, call: FakeCall, kind: FaultKind): Promise<Verdict> {
  const rehearsal = rehearsalAt(play, index);
  return matrix.stages.on(rehearsal.from, matrix.host, async (world) => {
    strike(world, call, kind);
    await perform(world, rehearsal.entry, { attempts: 1 });
    world.dom0.faults.restart();
    return failed(matrix, play, world, index);
  });
}

async function runCancel(matrix: Matrix, play: OperationPlay, index: number, call: FakeCall): Promise<Verdict> {
  const rehearsal = rehearsalAt(play, index);
  return matrix.stages.on(rehearsal.from, matrix.host, async (world) => {
    await performCancelled(world, rehearsal.entry, call);
    return failed(matrix, play, world, index);
  });
}

function isTried({ only }: OperationPlay, { activity }: Entry): boolean {
  return only === undefined || only.includes(activity);
}

function stepCases(matrix: Matrix, play: OperationPlay): Case[] {
  const { row, rehearsals, forward } = play;
  return rehearsals.flatMap(({ calls: all, entry }, index) => {
    const calls = isTried(play, entry) ? all : [];
    const place = (call: FakeCall): string => `operation/${row.name}/${entryName(forward, index)}/${nameOf(call)}`;
    return [
      ...strikesAt(calls).map(({ call, kind }) => ({
        name: `${place(call)}/${kind}`,
        run: () => runFault(matrix, play, index, call, kind),
      })),
      ...killsAt(calls).map(({ call, kind }) => ({
        name: `${place(call)}/${kind} and given up`,
        run: () => runHalf(matrix, play, index, call, kind),
      })),
      // A removal is out of reach of cancellation.
      ...(row.isRemoval === true ? [] : calls).map((call) => ({
        name: `${place(call)}/cancelled`,
        run: () => runCancel(matrix, play, index, call),
      })),
    ];
  });
}

/** One call of an undo meets a fault: the undo must do without, or, when the tool stays broken, what is left must be known. */
async function runUndoFault(
  matrix: Matrix,
  play: OperationPlay,
  { from, entry }: Rehearsal,
  rest: readonly Entry[],
  call: FakeCall,
  kind: FaultKind,
): Promise<Verdict> {
  return matrix.stages.on(from, matrix.host, async (world) => {
    strike(world, call, kind);
    const outcome = await perform(world, entry, { attempts: UNDO_ATTEMPTS });
    const stuck = await undo(world, rest);
    if (outcome.isOk && stuck.length === 0)
      return { end: 'as before', complaints: [...asItWas(play.wanted, world.snapshot()), ...unknownTo(world)] };
    const tooMuch = kind === 'fail-always' || outcome.isOk ? [] : [`one fault was too much: ${outcome.error.message}`];
    return { end: 'needs cleanup, then as ordered', complaints: [...tooMuch, ...(await again(matrix, play, world))] };
  });
}

/** Undoes what the steps up to one have done, that one included, once for each list of undos. */
async function undoCases(matrix: Matrix, play: OperationPlay): Promise<Case[]> {
  if (play.row.isRemoval === true) return [];
  const cases: Case[] = [];
  const { settings, guest } = play.wanted;
  const isNew = firstTimes((snapshot) => comparable(settled(snapshot, settings, guest), settings));
  for (const [index, { after, entry }] of play.rehearsals.entries()) {
    if (!isTried(play, entry) || isDoneBefore(play, index)) continue;
    const entries = play.undo[index] ?? [];
    const rehearsals = await matrix.stages.rehearse(after, matrix.host, entries);
    rehearsals.forEach((rehearsal, position) => {
      if (!isNew(rehearsal, entries.slice(position + 1))) return;
      for (const { call, kind } of strikesAt(rehearsal.calls))
        cases.push({
          name: `operation/${play.row.name}/undone after ${entryName(play.forward, index)}/${entryName(entries, position)}/${nameOf(call)}/${kind}`,
          run: () => runUndoFault(matrix, play, rehearsal, entries.slice(position + 1), call, kind),
        });
    });
  }
  return cases;
}

/** What a play does to the dom0, and to which. */
function workOf({ row, stage, forward, undo: undos }: OperationPlay): string {
  return JSON.stringify([row.isRemoval === true, stage.snapshot, forward, undos]);
}

/** What two rows do alike (suspending and stopping, terminating at once and cleaning up) is tried once; through Temporal, each of them is. */
export async function operationFaultCases(matrix: Matrix, plays: readonly OperationPlay[]): Promise<Case[]> {
  const different = [
    ...[...new Map([...plays].reverse().map((play) => [workOf(play), play])).values()].reverse(),
    ...(await borgPlays(matrix, plays)),
    ...(await thinPlays(matrix, plays)),
  ];
  const undos = await Promise.all(different.map((play) => undoCases(matrix, play)));
  return [...different.flatMap((play) => stepCases(matrix, play)), ...undos.flat()];
}
