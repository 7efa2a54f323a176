/** What comes from outside while a step runs: cancellation, a later attempt, the loss of power. At each call of each step. */
import type { MockActivityEnvironment } from '@temporalio/testing';
import { setImmediate as tick } from 'node:timers/promises';
import type { FakeCall } from '../../fake/index.ts';
import type { Case, Verdict } from './case.ts';
import { perform } from './perform.ts';
import type { Rehearsal } from './stage.ts';
import { conclude, entryName, nameOf, undone, type Matrix } from './step-faults.ts';
import type { Entry } from './tape.ts';
import type { World } from './world.ts';

/** Does something at a call, before it begins. */
export function at(world: World, call: FakeCall, act: () => unknown): void {
  let acting: Promise<unknown> | undefined;
  world.dom0.faults.add({
    kind: 'wait',
    match: (each) => {
      if (each.kind !== call.kind || each.index !== call.index || acting !== undefined) return false;
      acting = Promise.resolve(act());
      return true;
    },
    get until() {
      return acting ?? Promise.resolve();
    },
  });
}

/** Performs a step that is cancelled at this call. */
export async function performCancelled(world: World, entry: Entry, call: FakeCall): Promise<void> {
  let environment: MockActivityEnvironment | undefined;
  at(world, call, () => {
    environment?.cancel('CANCELLED');
  });
  await perform(world, entry, {
    onAttempt: (current) => {
      environment = current;
    },
  });
  world.dom0.faults.restart();
}

/** The person cancels: the step ends when it can, and is undone, whatever it says. */
async function runCancel(matrix: Matrix, index: number, rehearsal: Rehearsal, call: FakeCall): Promise<Verdict> {
  return matrix.stages.on(rehearsal.from, matrix.host, async (world) => {
    await performCancelled(world, rehearsal.entry, call);
    return undone(matrix, world, matrix.tape.undo[index] ?? []);
  });
}

/** Temporal gives a step up (its heartbeat was late) that still runs, and begins it again in the same worker. */
async function runOverlap(matrix: Matrix, index: number, rehearsal: Rehearsal, call: FakeCall): Promise<Verdict> {
  return matrix.stages.on(rehearsal.from, matrix.host, async (world) => {
    let second: ReturnType<typeof perform> | undefined;
    at(world, call, async () => {
      second = perform(world, rehearsal.entry);
      for (let turn = 0; turn < 20; turn += 1) await tick();
    });
    const first = await perform(world, rehearsal.entry, { attempts: 1 });
    const outcome = (await second) ?? first;
    return conclude(matrix, world, index, outcome.isOk);
  });
}

async function runPowerCut(matrix: Matrix, index: number, rehearsal: Rehearsal, call: FakeCall): Promise<Verdict> {
  return matrix.stages.on(rehearsal.from, matrix.host, async (world) => {
    world.dom0.faults.add({ kind: 'kill-middle', match: (each) => each.kind === call.kind && each.index === call.index });
    await perform(world, rehearsal.entry, { attempts: 1 });
    world.dom0.powerCut();
    world.dom0.faults.restart();
    const outcome = await perform(world, rehearsal.entry);
    return conclude(matrix, world, index, outcome.isOk);
  });
}

const INTERRUPTIONS = { cancel: runCancel, overlap: runOverlap, 'power cut': runPowerCut } as const;

export function interruptionCases(matrix: Matrix): Case[] {
  return Object.entries(INTERRUPTIONS).flatMap(([name, run]) =>
    matrix.rehearsals.flatMap((rehearsal, index) =>
      rehearsal.calls.map((call): Case => ({
        name: `${name}/${entryName(matrix.tape.forward, index)}/${nameOf(call)}`,
        run: () => run(matrix, index, rehearsal, call),
      })),
    ),
  );
}
