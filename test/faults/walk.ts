/**
 * Random walks: several guests on one dom0, each with operations of its own, while tools fail, workers are killed and people cancel. A seed
 * decides all of it, and the same seed walks the same way again: nothing here waits for the real clock.
 */
import { setImmediate as tick } from 'node:timers/promises';
import type { MockActivityEnvironment } from '@temporalio/testing';
import type { FaultKind, FaultPlan } from '../../fake/index.ts';
import { randomOf, type Case, type Verdict } from './case.ts';
import { asBefore, asOrdered, leftOn, nobodyElsesBytes, withoutGuest } from './invariants.ts';
import { inexact, saidToBeLeft } from './lists.ts';
import { perform, undo } from './perform.ts';
import type { Matrix } from './step-faults.ts';
import { GUEST, TAPE_IP, undoOfBackup, type Entry, type Tape } from './tape.ts';
import { orderOf, refOf, type World } from './world.ts';

type Random = () => number;
type Phase = 'none' | 'running' | 'stopped' | 'needs-cleanup';

const GUESTS = 3;
const OPERATIONS = 7;
const KINDS: readonly FaultKind[] = [
  'fail',
  'fail',
  'fail-middle',
  'fail-after',
  'hang',
  'hang-after',
  'kill-before',
  'kill-middle',
  'kill-after',
];
const CONDITIONS = [
  'diskFull',
  'vgFull',
  'noMemory',
  'noLoop',
  'readOnlyFs',
  'guestsDoNotBoot',
  'snapshotsOverflow',
] as const satisfies readonly (keyof FaultPlan)[];
/** A fault comes at one of the next so many calls. */
const SOON = 60;
const CANCELS = 0.15;
const FAULTS = 0.5;
const BAD_TIMES = 0.12;

function pick<T>(random: Random, items: readonly T[]): T | undefined {
  return items[Math.floor(random() * items.length)];
}

/** The tape of another guest. */
function tapeOf(tape: Tape, name: string, number: number): Tape {
  const mac = /00:16:3E(:[0-9A-F]{2}){3}/.exec(JSON.stringify(tape.forward))?.[0] ?? 'no MAC on the tape';
  const other = mac.replace(/..$/, String(number).padStart(2, '0'));
  const text = JSON.stringify(tape)
    .replaceAll(`"${GUEST}"`, `"${name}"`)
    .replaceAll(`"order-${GUEST}"`, `"order-${name}"`)
    .replaceAll(`"${TAPE_IP}"`, `"10.20.9.${String(number)}"`)
    .replaceAll(mac, other);
  return JSON.parse(text) as Tape;
}

class Walker {
  readonly name: string;
  phase: Phase = 'none';
  readonly log: string[] = [];
  private owesUndo = false;
  private hasBackup = false;
  private readonly world: World;
  private readonly tape: Tape;
  private readonly random: Random;

  constructor(world: World, tape: Tape, name: string, number: number, random: Random) {
    this.world = world;
    this.tape = tapeOf(tape, name, number);
    this.name = name;
    this.random = random;
  }

  private get inFull(): { workflowId: string } {
    return { workflowId: `guest/${this.name}/walk` };
  }

  private find(activity: string): Entry {
    const { forward, firstBackup, undo: undos, cleanup } = this.tape;
    const entry = [...forward, firstBackup, undoOfBackup(this.tape), ...undos.flat(), ...cleanup].find(
      (each) => each.activity === activity,
    );
    if (entry === undefined) throw new Error(`the tape has no ${activity}`);
    return entry;
  }

  /** Runs entries as an operation does: undone when one fails, or when somebody cancels it. */
  private async operate(entries: readonly Entry[], undoOf: (index: number) => readonly Entry[]): Promise<'done' | 'undone' | 'left'> {
    const cancelAt = this.random() < CANCELS ? Math.floor(this.random() * entries.length) : -1;
    for (const [index, entry] of entries.entries()) {
      let environment: MockActivityEnvironment | undefined;
      const running = perform(this.world, entry, {
        ...this.inFull,
        onAttempt: (current) => {
          environment = current;
        },
      });
      if (index === cancelAt) {
        for (let turn = Math.floor(this.random() * 30); turn > 0; turn -= 1) await tick();
        environment?.cancel('CANCELLED');
      }
      const outcome = await running;
      if (outcome.isOk && index !== cancelAt) continue;
      this.log.push(`${this.name}: ${entry.activity} ${outcome.isOk ? 'cancelled' : (outcome.error.message.split('\n')[0] ?? '')}`);
      return (await undo(this.world, undoOf(index), this.inFull)).length === 0 ? 'undone' : 'left';
    }
    return 'done';
  }

  private async provision(): Promise<void> {
    const end = await this.operate(this.tape.forward, (index) => this.tape.undo[index] ?? []);
    this.phase = end === 'done' ? 'running' : end === 'undone' ? 'none' : 'needs-cleanup';
    this.hasBackup = false;
    if (end === 'done') await this.backup();
  }

  /** The end of a guest, or of what is left of one. */
  async remove(): Promise<string[]> {
    const failed = await undo(this.world, this.tape.cleanup, this.inFull);
    this.phase = failed.length === 0 ? 'none' : 'needs-cleanup';
    return failed;
  }

  private async backup(): Promise<void> {
    const undoing = [this.find('undoBackup')];
    const end = await this.operate([this.find('takeBackup')], () => undoing);
    this.owesUndo = end === 'left';
    this.hasBackup ||= end === 'done';
  }

  /** When nothing is wrong any more: what the undo of a backup could not remove, and said so, goes; a guest without a backup is given its first one. */
  async settle(): Promise<void> {
    if (this.phase === 'needs-cleanup') await this.remove();
    if (this.phase === 'none') return;
    if (this.owesUndo) await undo(this.world, [this.find('undoBackup')], this.inFull);
    if (!this.hasBackup) await perform(this.world, this.find('takeBackup'), this.inFull);
  }

  private async power(activity: string, undoing: string | undefined, goal: Phase): Promise<void> {
    const end = await this.operate([this.find(activity)], () => (undoing === undefined ? [] : [this.find(undoing)]));
    if (end === 'done') this.phase = goal;
    // What a stop that failed came to is seen in xl list, as an operator would.
    else
      this.phase = this.world.snapshot().domains.some(({ name, state }) => name === this.name && state === 'running')
        ? 'running'
        : 'stopped';
  }

  private async step(): Promise<void> {
    const choices: Record<Phase, readonly (() => Promise<unknown>)[]> = {
      none: [() => this.provision()],
      running: [
        () => this.backup(),
        () => this.power('stopGuest', undefined, 'stopped'),
        () => this.power('destroyGuest', undefined, 'stopped'),
        () => this.remove(),
      ],
      stopped: [() => this.power('bootGuest', 'destroyGuest', 'running'), () => this.backup(), () => this.remove()],
      'needs-cleanup': [() => this.remove()],
    };
    await pick(this.random, choices[this.phase])?.();
  }

  private trouble(): void {
    const { faults } = this.world.dom0;
    const kind = pick(this.random, KINDS) ?? 'fail';
    const isProcess = this.random() < 0.7;
    const index = faults.counts[isProcess ? 'process' : 'file'] + Math.floor(this.random() * SOON);
    if (this.random() < FAULTS)
      faults.add({ kind, match: (call) => call.kind === (isProcess ? 'process' : 'file') && call.index === index });
    const condition = pick(this.random, CONDITIONS);
    for (const each of CONDITIONS) faults[each] = false;
    if (condition !== undefined && this.random() < BAD_TIMES) faults[condition] = true;
  }

  async walk(): Promise<void> {
    for (let operation = 0; operation < OPERATIONS; operation += 1) {
      this.trouble();
      await this.step();
    }
  }
}

/** What must be true of a guest in its phase, whatever the others do. */
function complaintsOf(walker: Walker, world: World, before: ReturnType<World['snapshot']>, others: readonly Walker[]): string[] {
  const ref = refOf(orderOf(walker.name, world.settings.host));
  const alone = others.reduce(
    (state, { name }) => withoutGuest(state, refOf(orderOf(name, world.settings.host)), world.settings),
    world.snapshot(),
  );
  const said =
    walker.phase === 'running'
      ? asOrdered(before, { ...alone, freeBytes: before.freeBytes }, ref, world.settings)
      : walker.phase === 'none'
        ? leftOn(before, alone, ref, world.settings).left
        : nobodyElsesBytes(alone, walker.name);
  return said.map((line) => `${walker.name} (${walker.phase}): ${line}`);
}

/** What an undo or a removal has left is listed, each thing of it. The others stand still meanwhile. */
async function listComplaints({ name, phase }: Walker, world: World, before: ReturnType<World['snapshot']>): Promise<string[]> {
  if (phase !== 'needs-cleanup') return [];
  const ref = refOf(orderOf(name, world.settings.host));
  const said = await saidToBeLeft(world, { ...ref, dist: 'bookworm' });
  return inexact(said, leftOn(before, world.snapshot(), ref, world.settings).left).map((line) => `${name} (${phase}): ${line}`);
}

async function walk(matrix: Matrix, seed: number): Promise<Verdict> {
  return matrix.stages.on(matrix.start, matrix.host, async (world) => {
    const random = randomOf(seed);
    const before = world.snapshot();
    const walkers = Array.from(
      { length: GUESTS },
      (_, number) => new Walker(world, matrix.tape, `walker${String(number + 1)}`, number + 1, randomOf(Math.floor(random() * 2 ** 31))),
    );
    await Promise.all(walkers.map((walker) => walker.walk()));
    world.dom0.faults.restart();
    const lists: string[] = [];
    for (const walker of walkers) lists.push(...(await listComplaints(walker, world, before)));
    for (const walker of walkers) await walker.settle();
    const complaints = walkers.flatMap((walker) =>
      complaintsOf(
        walker,
        world,
        before,
        walkers.filter((other) => other !== walker),
      ),
    );
    const stuck: string[] = [];
    for (const walker of walkers) stuck.push(...(await walker.remove()));
    const after = asBefore(before, world.snapshot(), world.settings);
    const all = [...lists, ...complaints, ...stuck, ...after, ...world.dom0.unknown.map((line) => `unknown to the fake: ${line}`)];
    return {
      end: 'as before',
      complaints: all.length === 0 ? [] : [...all, ...walkers.flatMap(({ log }) => log.map((line) => `  on the way: ${line}`))],
    };
  });
}

/** One walk for each seed from `first` on. */
export function walkCases(matrix: Matrix, first: number, count: number): Case[] {
  return Array.from({ length: count }, (_, index) => ({
    name: `walk/seed ${String(first + index)}`,
    run: () => walk(matrix, first + index),
  }));
}
