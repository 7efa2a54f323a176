/** A dom0 in a bad state, and tools that are broken for good: through a step, and through its undo as well. */
import type { FakeCall, FaultPlan } from '../../fake/index.ts';
import type { Case, Verdict } from './case.ts';
import { asBefore, leftOn, type Complaints } from './invariants.ts';
import { inexact, saidToBeLeft } from './lists.ts';
import { perform, undo } from './perform.ts';
import type { Rehearsal } from './stage.ts';
import { beforeOf, conclude, entryName, nameOf, strike, type Matrix } from './step-faults.ts';
import { GUEST } from './tape.ts';
import { orderOf, refOf, settingsOf, type World } from './world.ts';

type Break = (world: World) => void;

const CONDITIONS = [
  'diskFull',
  'vgFull',
  'noMemory',
  'noLoop',
  'readOnlyFs',
  'guestsDoNotBoot',
  'snapshotsOverflow',
] as const satisfies readonly (keyof FaultPlan)[];

async function runPassing(matrix: Matrix, index: number, rehearsal: Rehearsal, breakIt: Break): Promise<Verdict> {
  return matrix.stages.on(rehearsal.from, matrix.host, async (world) => {
    breakIt(world);
    const outcome = await perform(world, rehearsal.entry);
    return conclude(matrix, world, index, outcome.isOk);
  });
}

/** It is still broken when the step is undone. What is left must be known, and go when all is well again. */
async function runLasting(matrix: Matrix, index: number, rehearsal: Rehearsal, breakIt: Break): Promise<Verdict> {
  return matrix.stages.on(rehearsal.from, matrix.host, async (world) => {
    breakIt(world);
    const outcome = await perform(world, rehearsal.entry);
    if (outcome.isOk) return conclude(matrix, world, index, true);
    const failed = await undo(world, matrix.tape.undo[index] ?? []);
    return mended(matrix, world, failed);
  });
}

/** What an undo on a broken dom0 has left is listed, each thing of it, and goes when all is well again. */
export async function mended(matrix: Matrix, world: World, failed: readonly string[]): Promise<Verdict> {
  const settings = settingsOf(matrix.host);
  const isAsBefore = (): Complaints => asBefore(beforeOf(matrix), world.snapshot(), settings);
  if (failed.length === 0) {
    world.dom0.faults.restart();
    return { end: 'as before', complaints: isAsBefore() };
  }
  const ref = refOf(orderOf(GUEST, matrix.host));
  const said = await saidToBeLeft(world, { ...ref, dist: 'bookworm' });
  const { left, unlisted } = leftOn(beforeOf(matrix), world.snapshot(), ref, settings);
  const list = inexact(said, left);
  world.dom0.faults.restart();
  const stuck = await undo(world, matrix.tape.cleanup);
  return { end: 'needs cleanup, then as before', complaints: [...list, ...unlisted, ...stuck, ...isAsBefore()] };
}

function both(matrix: Matrix, index: number, rehearsal: Rehearsal, name: string, breakIt: Break): Case[] {
  const place = entryName(matrix.tape.forward, index);
  return [
    { name: `condition/${place}/${name}/passing`, run: () => runPassing(matrix, index, rehearsal, breakIt) },
    { name: `condition/${place}/${name}/lasting`, run: () => runLasting(matrix, index, rehearsal, breakIt) },
  ];
}

function conditionCases(matrix: Matrix, index: number, rehearsal: Rehearsal): Case[] {
  return CONDITIONS.flatMap((condition) =>
    both(matrix, index, rehearsal, condition, (world) => {
      world.dom0.faults[condition] = true;
    }),
  );
}

function missingToolCases(matrix: Matrix, index: number, rehearsal: Rehearsal): Case[] {
  const tools = [...new Set(rehearsal.calls.filter(({ kind }) => kind === 'process').map(({ name }) => name))];
  return tools.flatMap((tool) =>
    both(matrix, index, rehearsal, `${tool} is not installed`, (world) => {
      world.dom0.faults.missingTools.add(tool);
    }),
  );
}

/** The kind of work that a call does. */
export function verbOf({ tool, name, args }: FakeCall): string {
  return [...new Set([tool, name, ...(['xl', 'losetup'].includes(name) ? args.slice(0, 1) : [])])].join(' ');
}

/** Every tool that does a call's kind of work fails from that call on, for the undo as well. */
function brokenToolCases(matrix: Matrix, index: number, rehearsal: Rehearsal): Case[] {
  return rehearsal.calls.map((call) => ({
    name: `broken/${entryName(matrix.tape.forward, index)}/${nameOf(call)}`,
    run: () =>
      runLasting(matrix, index, rehearsal, (world) => {
        strike(world, call, 'fail-always');
        world.dom0.faults.add({
          kind: 'fail-always',
          match: (each) => each.kind === call.kind && each.index >= call.index && verbOf(each) === verbOf(call),
        });
      }),
  }));
}

export function lastingCases(matrix: Matrix): Case[] {
  return matrix.rehearsals.flatMap((rehearsal, index) => [
    ...conditionCases(matrix, index, rehearsal),
    ...missingToolCases(matrix, index, rehearsal),
    ...brokenToolCases(matrix, index, rehearsal),
  ]);
}
