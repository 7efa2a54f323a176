/** Builds the cases and runs them, many at once. */
import type { Case, End } from './case.ts';
import { installClocks } from './clock.ts';
import { perform } from './perform.ts';
import { Server } from './server.ts';
import { Stages } from './stage.ts';
import { stepFaultCases, type Matrix } from './step-faults.ts';
import { halfDoneCases, undoFaultCases } from './undo-faults.ts';
import { interruptionCases } from './interruptions.ts';
import { lastingCases } from './conditions.ts';
import { workflowCases } from './workflow-faults.ts';
import { recordTape, type Tape } from './tape.ts';
import { startServer } from '../workflow/temporal.ts';
import { World } from './world.ts';

export interface FaultRun {
  readonly say: (line: string) => void;
  /** Decides what the random walks do. Default: the day. */
  readonly seed?: number;
  /** Only cases whose name contains this. */
  readonly only?: string;
  /** Say the names, run nothing. */
  readonly isListing?: boolean;
  readonly jobs?: number;
  readonly walks?: number;
}

const HOST = 'faults';
/** Dom0s of the cases that run through Temporal: several, because one ledger takes ten updates at a time. */
const HOSTS = ['faults1', 'faults2', 'faults3', 'faults4'];

async function makeMatrix(tape: Tape, stages: Stages): Promise<Matrix> {
  const world = await World.create(HOST);
  try {
    await perform(world, { activity: 'prepare', input: undefined, isControl: false });
    const start = stages.keep(world);
    return { host: HOST, tape, stages, start, rehearsals: await stages.rehearse(start, HOST, tape.forward) };
  } finally {
    world.close();
  }
}

async function runAll(cases: readonly Case[], jobs: number, say: (line: string) => void): Promise<{ failed: string[]; ends: Map<End, number> }> {
  const failed: string[] = [];
  const ends = new Map<End, number>();
  let next = 0;
  const work = async (): Promise<void> => {
    for (let current = cases[next++]; current !== undefined; current = cases[next++]) {
      const { name } = current;
      const verdict = await current.run().catch((error: unknown) => ({ end: 'as before' as const, complaints: [error instanceof Error ? (error.stack ?? error.message) : String(error)] }));
      ends.set(verdict.end, (ends.get(verdict.end) ?? 0) + 1);
      if (verdict.complaints.length === 0) continue;
      failed.push(name);
      say(`FAILED ${name} (${verdict.end})`);
      for (const complaint of verdict.complaints.slice(0, 8)) say(`    ${complaint}`);
    }
  };
  await Promise.all(Array.from({ length: jobs }, work));
  return { failed, ends };
}

/** Runs the matrix. */
export async function runFaults(options: FaultRun): Promise<{ cases: number; failed: number }> {
  installClocks();
  const { say } = options;
  const started = performance.now();
  const seconds = (): string => ((performance.now() - started) / 1000).toFixed(1);
  const environment = await startServer();
  const server = await Server.start(environment);
  const stages = new Stages();
  try {
    for (const host of [HOST, ...HOSTS]) await server.serve(host);
    const tape = await recordTape(server, HOST);
    say(`recorded after ${seconds()} s: ${tape.forward.map(({ activity }) => activity).join(', ')}`);
    const matrix = await makeMatrix(tape, stages);
    const slow = workflowCases({ ...matrix, server, hosts: HOSTS });
    const slowNames = new Set(slow.map(({ name }) => name));
    const isSlow = (name: string): boolean => slowNames.has(name);
    const all = [...slow, ...stepFaultCases(matrix), ...(await undoFaultCases(matrix)), ...halfDoneCases(matrix), ...interruptionCases(matrix), ...lastingCases(matrix)];
    const cases = options.only === undefined ? all : all.filter(({ name }) => name.includes(options.only ?? ''));
    if (options.isListing === true) {
      for (const { name } of cases) say(name);
      return { cases: cases.length, failed: 0 };
    }
    const runs = await Promise.all([
      runAll(cases.filter(({ name }) => isSlow(name)), options.jobs ?? 32, say),
      runAll(cases.filter(({ name }) => !isSlow(name)), 4, say),
    ]);
    const failed = runs.flatMap((run) => run.failed);
    const ends = new Map<End, number>();
    for (const run of runs) for (const [end, count] of run.ends) ends.set(end, (ends.get(end) ?? 0) + count);
    for (const [end, count] of ends) say(`${String(count)} ${end}`);
    say(`${seconds()} s`);
    say(`${String(cases.length)} cases, ${String(failed.length)} failed`);
    return { cases: cases.length, failed: failed.length };
  } finally {
    stages.close();
    await server.stop();
    await environment.teardown();
  }
}
