/** Builds the cases and runs them, many at once. */
import { setTimeout as sleep } from 'node:timers/promises';
import { adjustUndoCases } from './adjust-faults.ts';
import type { Case, End, Verdict } from './case.ts';
import { installClocks } from './clock.ts';
import { commandCases } from './commands.ts';
import { lastingCases } from './conditions.ts';
import { interruptionCases } from './interruptions.ts';
import { crowdCases } from './crowd.ts';
import { lookAlikeCases } from './lookalikes.ts';
import { operationFaultCases } from './operation-faults.ts';
import { nightCases } from './night-faults.ts';
import { activityCases } from './on-tape.ts';
import { rowCases } from './operation-rows.ts';
import { recordOperations } from './operation-tape.ts';
import { operationWorkflowCases } from './operation-workflows.ts';
import { perform } from './perform.ts';
import { restartCases, type RestartMatrix } from './restart-faults.ts';
import { failureOf, Server } from './server.ts';
import { Stages } from './stage.ts';
import { stepFaultCases, type Matrix } from './step-faults.ts';
import { directCases, fromBackupCases } from './recipe-faults.ts';
import { renewalCases } from './renewal-faults.ts';
import { recordTape, type Tape } from './tape.ts';
import { thinOrderCases } from './thin-faults.ts';
import { staleCases } from './stale-faults.ts';
import { startOwnTemporal } from './temporal.ts';
import { brokenUndoCases, halfDoneCases, rehearseUndos, undoFaultCases, type UndoPlay } from './undo-faults.ts';
import { brokenUndoScenarios, waitingCases, workflowCases } from './workflow-faults.ts';
import { walkCases } from './walk.ts';
import { World } from './world.ts';

export interface FaultRun {
  readonly say: (line: string) => void;
  /** The first of the random walks' seeds; only walks are run then. Default: 1. */
  readonly seed?: number;
  /** Only cases whose name contains this. */
  readonly only?: string;
  /** Say the names, run nothing. */
  readonly isListing?: boolean;
  /** Cases through Temporal at a time. */
  readonly jobs?: number;
  /** How many walks. Default: 40, or one with a seed. */
  readonly walks?: number;
}

const HOST = 'faults';
/** Dom0s of the cases that run through Temporal: several, because one ledger takes ten updates at a time. */
const HOSTS = ['faults1', 'faults2', 'faults3', 'faults4'];
const JOBS = 24;
const WAITING_JOBS = 20;
/** They never wait for anything but each other. */
const QUICK_JOBS = 4;
const WALKS = 40;
/** Lives through Temporal cost more: one of them for so many walks. */
const CROWD_SHARE = 10;

async function makeMatrix(tape: Tape, stages: Stages): Promise<Matrix> {
  const world = await World.create(HOST);
  try {
    await perform(world, { activity: 'prepare', input: undefined, isControl: false });
    const start = stages.keep(world);
    const rehearsals = await stages.rehearse(start, HOST, [...tape.forward, tape.firstBackup]);
    const firstBackup = rehearsals.pop();
    if (firstBackup === undefined) throw new Error('there is no first backup');
    return { host: HOST, tape, stages, start, rehearsals, firstBackup };
  } finally {
    world.close();
  }
}

/** A case that does not end would hold up all others without a word. */
const CASE_LIMIT_MS = 300_000;
/** How long those are waited for, once their guests are ended. */
const SETTLE_MS = 20_000;

async function tooLong(signal: AbortSignal): Promise<never> {
  await sleep(CASE_LIMIT_MS, undefined, { ref: false, signal });
  throw new Error(`it has not ended after ${String(CASE_LIMIT_MS / 1000)} s`);
}

function inWords(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const { type, message } = failureOf(error);
  return `${type}: ${message}\n${error.stack ?? ''}`;
}

/** Runs cases and counts how they ended. */
class Tally {
  readonly failed: string[] = [];
  count = 0;
  /** Those that took too long are in here until they end. */
  private readonly running = new Set<Promise<Verdict>>();
  private readonly ends = new Map<End, number>();
  private readonly say: (line: string) => void;

  constructor(say: (line: string) => void) {
    this.say = say;
  }

  private async runOne(current: Case): Promise<void> {
    const { name } = current;
    const isOver = new AbortController();
    const running = current.run().finally(() => this.running.delete(running));
    this.running.add(running);
    const verdict = await Promise.race([running, tooLong(isOver.signal)]).catch((error: unknown) => ({
      end: 'as before' as const,
      complaints: [inWords(error)],
    }));
    isOver.abort();
    this.count += 1;
    this.ends.set(verdict.end, (this.ends.get(verdict.end) ?? 0) + 1);
    if (verdict.complaints.length === 0) return;
    this.failed.push(name);
    this.say(`FAILED ${name} (${verdict.end})`);
    for (const complaint of verdict.complaints.slice(0, 8)) this.say(`    ${complaint}`);
  }

  async run(cases: readonly Case[], jobs: number): Promise<void> {
    let next = 0;
    const work = async (): Promise<void> => {
      for (let current = cases[next++]; current !== undefined; current = cases[next++]) await this.runOne(current);
    };
    await Promise.all(Array.from({ length: jobs }, work));
  }

  /** Waits for what runs, for a while. */
  async settle(): Promise<void> {
    await Promise.race([Promise.allSettled(this.running), sleep(SETTLE_MS, undefined, { ref: false })]);
  }

  summary(): string {
    return [...this.ends].map(([end, count]) => `${String(count)} ${end}`).join(' · ');
  }
}

/** Which random walks. */
interface Walks {
  readonly first: number;
  readonly count: number;
}

/** On the fake dom0 alone, and of the order alone: they need none of the recorded operations. */
async function orderCases(matrix: Matrix, undos: readonly UndoPlay[], walks: Walks): Promise<Case[]> {
  return [
    ...stepFaultCases(matrix),
    ...undoFaultCases(matrix, undos),
    ...brokenUndoCases(matrix, undos),
    ...halfDoneCases(matrix),
    ...interruptionCases(matrix),
    ...lastingCases(matrix),
    ...rowCases(),
    ...(await staleCases()),
    ...walkCases(matrix, walks.first, walks.count),
  ];
}

interface Groups {
  /** They wait for time limits, and cost little. */
  readonly waiting: readonly Case[];
  /** Through Temporal. */
  readonly slow: readonly Case[];
  /** On the fake dom0 alone. */
  readonly quick: readonly Case[];
  /** Those of each group at once, when nothing else goes through Temporal. */
  readonly together: readonly (readonly Case[])[];
}

/** All others. */
async function groupsOf(
  through: RestartMatrix,
  undos: readonly UndoPlay[],
  isWanted: (name: string) => boolean,
  walks: Walks,
): Promise<Groups> {
  const plays = await recordOperations(through, through.server);
  const alike = lookAlikeCases(through);
  const wanted = (cases: readonly Case[]): Case[] => cases.filter(({ name }) => isWanted(name));
  return {
    waiting: wanted(waitingCases(through)),
    slow: wanted([
      ...crowdCases(through, walks.first, Math.ceil(walks.count / CROWD_SHARE)),
      ...workflowCases(through),
      ...brokenUndoScenarios(through, undos),
      ...operationWorkflowCases(through, plays),
      ...nightCases(through, plays),
      ...alike.slow,
    ]),
    quick: wanted([
      ...activityCases(through.tape, plays),
      ...(await operationFaultCases(through, plays)),
      ...(await adjustUndoCases(through, plays)),
      ...alike.quick,
    ]),
    together: restartCases(through, isWanted),
  };
}

function everyName({ waiting, slow, quick, together }: Groups): string[] {
  return [...waiting, ...slow, ...quick, ...together.flat()].map(({ name }) => name);
}

/** How a case is run again. */
function again(name: string): string {
  return `again: npm run test:faults -- ${/\/seed \d+$/.test(name) ? `--seed ${/\d+$/.exec(name)?.[0] ?? ''}` : `--only '${name}'`}`;
}

/** Runs the matrix. */
export async function runFaults({
  say,
  only = '',
  isListing = false,
  jobs = JOBS,
  seed,
  walks: walkCount,
}: FaultRun): Promise<{ cases: number; failed: number }> {
  installClocks();
  const started = performance.now();
  const sayWhen = (line: string): void => {
    say(`${((performance.now() - started) / 1000).toFixed(1)} s: ${line}`);
  };
  const isWanted = (name: string): boolean => name.includes(seed === undefined ? only : '/seed ');
  const walks = { first: seed ?? 1, count: walkCount ?? (seed === undefined ? WALKS : 1) };
  const temporal = await startOwnTemporal();
  const server = await Server.start(temporal);
  const stages = new Stages();
  const tally = new Tally(say);
  try {
    for (const host of [HOST, ...HOSTS]) await server.serve(host);
    const tape = await recordTape(server, HOST);
    sayWhen(`recorded ${tape.forward.map(({ activity }) => activity).join(', ')}`);
    const matrix = { ...(await makeMatrix(tape, stages)), server, temporal, hosts: HOSTS };
    const undos = await rehearseUndos(matrix);
    const direct = await makeMatrix(await recordTape(server, HOST, 'direct'), stages);
    const recipes = [
      ...directCases(direct),
      ...(await fromBackupCases(matrix)),
      ...(await thinOrderCases(matrix, 'how-to')),
      ...(await thinOrderCases(direct, 'direct')),
      ...(await renewalCases(direct)),
    ];
    const ofTheOrder = [...(await orderCases(matrix, undos, walks)), ...recipes].filter(({ name }) => isWanted(name));
    if (isListing) {
      const names = [...ofTheOrder.map(({ name }) => name), ...everyName(await groupsOf(matrix, undos, isWanted, walks))];
      for (const name of names) say(name);
      return { cases: names.length, failed: 0 };
    }
    const done = async (work: Promise<void>, count: number, what: string): Promise<void> => {
      await work;
      sayWhen(`${String(count)} cases ${what} done`);
    };
    // Recording leaves this process idle: Temporal has most of the work with it.
    const first = done(tally.run(ofTheOrder, QUICK_JOBS), ofTheOrder.length, 'of an order’s single steps');
    const { waiting, slow, quick, together } = await groupsOf(matrix, undos, isWanted, walks);
    sayWhen('recorded the operations');
    const throughTemporal = async (): Promise<void> => {
      await Promise.all([
        done(tally.run(waiting, WAITING_JOBS), waiting.length, 'of dom0s that are away'),
        done(tally.run(slow, jobs), slow.length, 'through Temporal'),
      ]);
      for (const group of together) await tally.run(group, group.length);
      sayWhen(`${String(together.flat().length)} cases of restarts done`);
    };
    const onTheFake = first.then(() => done(tally.run(quick, QUICK_JOBS), quick.length, 'of other single steps'));
    await Promise.all([throughTemporal(), onTheFake]);
    await tally.run(
      commandCases().filter(({ name }) => name.includes(only)),
      1,
    );
    sayWhen(tally.summary());
    for (const name of tally.failed) say(again(name));
    say(`${String(tally.count)} cases, ${String(tally.failed.length)} failed`);
    return { cases: tally.count, failed: tally.failed.length };
  } finally {
    await server.abandon();
    await tally.settle();
    await server.stop();
    await temporal.stop();
    stages.close();
  }
}
