/** Every process and every change of a file of every activity × every fault: then the order goes on to its end, or is undone. */
import type { FakeCall, FaultKind } from '../../fake/index.ts';
import type { Case, Verdict } from './case.ts';
import { asBefore, asOrdered, comparable, type Complaints } from './invariants.ts';
import { perform, undo } from './perform.ts';
import type { Rehearsal, Stage, Stages } from './stage.ts';
import { GUEST, type Entry, type Tape } from './tape.ts';
import { FORMER_TENANT, orderOf, refOf, settingsOf, type World } from './world.ts';

export interface Matrix {
  readonly host: string;
  readonly tape: Tape;
  readonly stages: Stages;
  /** The dom0 before the order. */
  readonly start: Stage;
  readonly rehearsals: readonly Rehearsal[];
  /** The first backup, after the order. */
  readonly firstBackup: Rehearsal;
}

/** Processes that change nothing: for them, a fault in the middle or after is the same as one before. */
const LOOKS = [
  /^xl (list|info|-N )/,
  /^(lvs|vgs|cmp|sha256sum|dumpe2fs|arping|ssh-keyscan|apt-config|tail|udevadm|dpkg-query|cat|e2fsck -f -n) /,
  /^losetup --(json|find)/,
];
const LOOK_FAULTS: readonly FaultKind[] = ['fail', 'fail-always', 'hang', 'kill-before'];
const CHANGE_FAULTS: readonly FaultKind[] = [
  'fail',
  'fail-middle',
  'fail-after',
  'fail-always',
  'hang',
  'hang-after',
  'kill-before',
  'kill-middle',
  'kill-after',
];
const FILE_FAULTS: readonly FaultKind[] = ['fail', 'fail-always', 'kill-before', 'kill-middle', 'kill-after'];

/** The command line, without the time that a backup's name is made of. */
function lineOf({ tool, args }: FakeCall): string {
  return [tool, ...args].join(' ').replaceAll(/\d{8}T\d{6}Z/g, 'TIME');
}

export function isLook(call: FakeCall): boolean {
  return call.kind === 'process' && LOOKS.some((look) => look.test(`${lineOf(call)} `));
}

export function faultsOf(call: FakeCall): readonly FaultKind[] {
  return call.kind === 'file' ? FILE_FAULTS : isLook(call) ? LOOK_FAULTS : CHANGE_FAULTS;
}

/** A fault at a call. */
export interface Strike {
  readonly call: FakeCall;
  readonly kind: FaultKind;
}

/**
 * The faults of an activity's calls. A worker that is killed before a call leaves what one leaves that is killed after the call before it, and looks leave
 * nothing: of the kills before a call, the first is enough.
 */
export function strikesAt(calls: readonly FakeCall[], kindsOf = faultsOf): Strike[] {
  return calls.flatMap((call, index) =>
    kindsOf(call)
      .filter((kind) => kind !== 'kill-before' || index === 0)
      .map((kind) => ({ call, kind })),
  );
}

const KILLS = ['kill-before', 'kill-middle', 'kill-after'] as const satisfies readonly FaultKind[];

/** The kills of an activity's calls, of which nobody comes back for it. */
export function killsAt(calls: readonly FakeCall[]): Strike[] {
  return strikesAt(
    calls.filter((call) => !isLook(call)),
    () => KILLS,
  );
}

function lastWords(path: string): string {
  return path.replaceAll(/\d{8}T\d{6}Z/g, 'TIME').slice(-40);
}

/** Which call it is, in a form that a person can tell it by. The text of a program is none. */
export function nameOf(call: FakeCall): string {
  const [first = ''] = call.args.filter((arg) => !arg.startsWith('-') && !arg.includes('\n'));
  return `${call.kind} ${String(call.index)} ${call.name === call.tool ? call.tool : `${call.tool}:${call.name}`} ${call.name === call.tool ? lastWords(first) : ''}`.trim();
}

/** Lets a fault happen at a call; `fail-always`: at each one like it from there on. */
export function strike(world: World, at: FakeCall, kind: FaultKind): void {
  const isSame = (call: FakeCall): boolean => call.kind === at.kind && call.index === at.index;
  const isLike = (call: FakeCall): boolean => call.kind === at.kind && call.index >= at.index && lineOf(call) === lineOf(at);
  world.dom0.faults.add({ kind, match: kind === 'fail-always' ? isLike : isSame });
}

export function beforeOf(matrix: Matrix): Stage['snapshot'] {
  return matrix.start.snapshot;
}

/** The entries from `index` on, to the end of the order, or of its undo. */
async function finish(matrix: Matrix, world: World, index: number): Promise<Verdict> {
  for (const [at, entry] of matrix.tape.forward.entries()) {
    if (at < index || (await perform(world, entry)).isOk) continue;
    return undone(matrix, world, matrix.tape.undo[at] ?? []);
  }
  const backup = await perform(world, matrix.tape.firstBackup);
  return backup.isOk ? whole(matrix, world) : { end: 'as ordered', complaints: [`its first backup failed: ${backup.error.message}`] };
}

/** The order is done, and the first backup taken. */
function whole(matrix: Matrix, world: World): Verdict {
  return {
    end: 'as ordered',
    complaints: asOrdered(beforeOf(matrix), world.snapshot(), refOf(orderOf(GUEST, matrix.host)), settingsOf(matrix.host)),
  };
}

/** Whether a dom0 is exactly where it would be without a fault: then the rest of the order is the rehearsal's. */
function isWhereItShouldBe(matrix: Matrix, world: World, stage: Stage): boolean {
  const settings = settingsOf(matrix.host);
  return JSON.stringify(comparable(world.snapshot(), settings)) === JSON.stringify(comparable(stage.snapshot, settings));
}

/** The order goes on, or is undone; either must be whole. */
export async function conclude(matrix: Matrix, world: World, index: number, isOk: boolean): Promise<Verdict> {
  world.dom0.faults.restart();
  world.startWorker();
  const rehearsal = matrix.rehearsals[index];
  if (isOk && rehearsal !== undefined) {
    return isWhereItShouldBe(matrix, world, rehearsal.after)
      ? { end: 'as ordered', complaints: [] }
      : await finish(matrix, world, index + 1);
  }
  return undone(matrix, world, matrix.tape.undo[index] ?? []);
}

/** Undoes; the dom0 must be as it was. */
export async function undone(matrix: Matrix, world: World, entries: readonly Entry[]): Promise<Verdict> {
  const failed = await undo(world, entries);
  return {
    end: 'as before',
    complaints: [...failed, ...asBefore(beforeOf(matrix), world.snapshot(), settingsOf(matrix.host)), ...strangersBytes(world)],
  };
}

/** Free extents hold what the former tenant left; a guest's own bytes only come there with its snapshots. */
function strangersBytes(world: World): Complaints {
  return world
    .snapshot()
    .freeResidue.filter((label) => label !== FORMER_TENANT && label !== GUEST)
    .map((label) => `free extents hold bytes of ${label}`);
}

async function runFault(matrix: Matrix, index: number, call: FakeCall, kind: FaultKind): Promise<Verdict> {
  const rehearsal = matrix.rehearsals[index];
  if (rehearsal === undefined) throw new Error('no such rehearsal');
  return matrix.stages.on(rehearsal.from, matrix.host, async (world) => {
    strike(world, call, kind);
    const outcome = await perform(world, rehearsal.entry);
    const hasFired = world.dom0.faults.fired.length > 0;
    const verdict = await conclude(matrix, world, index, outcome.isOk);
    const notFired = hasFired ? [] : ['the fault did not happen: the activity is not the same twice'];
    // Nothing was wrong with the dom0: who comes back after a kill must be able to go on.
    const gaveUp =
      kind.startsWith('kill') && verdict.end !== 'as ordered'
        ? [`it could not go on after the kill${outcome.isOk ? '' : `: ${outcome.error.message}`}`]
        : [];
    return {
      ...verdict,
      complaints: [...notFired, ...gaveUp, ...verdict.complaints, ...world.dom0.unknown.map((line) => `unknown to the fake: ${line}`)],
    };
  });
}

/**
 * Undos that were seen before: a later list of undos leads through the dom0s that an earlier one begins on, and from there on it is that one.
 *
 * @param look what of a dom0 tells it from others
 * @returns whether this undo, on this dom0, with these to follow, is new
 */
export function firstTimes(look: (snapshot: Stage['snapshot']) => unknown): (rehearsal: Rehearsal, rest: readonly Entry[]) => boolean {
  const seen = new Set<string>();
  return ({ from, entry }, rest) => {
    const key = JSON.stringify([look(from.snapshot), entry, rest]);
    return seen.size < seen.add(key).size;
  };
}

/** The name of the entry at `index`: activities that are called twice are told apart. */
export function entryName(entries: readonly Entry[], index: number): string {
  return `${String(index).padStart(2, '0')} ${entries[index]?.activity ?? ''}`;
}

export function stepFaultCases(matrix: Matrix): Case[] {
  return matrix.rehearsals.flatMap(({ calls }, index) =>
    strikesAt(calls).map(({ call, kind }): Case => ({
      name: `step/${entryName(matrix.tape.forward, index)}/${nameOf(call)}/${kind}`,
      run: () => runFault(matrix, index, call, kind),
    })),
  );
}
