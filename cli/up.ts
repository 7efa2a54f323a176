/** `guestflow up`: Temporal, control worker and a dom0 in one, and guest1 on it. What `npm start` runs. */
import { realpath } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { connect, type Guestflow } from '../client/index.ts';
import { defaultStateDir } from '../client/config.ts';
import { defined } from '../contract/defined.ts';
import { GuestflowError } from '../contract/errors.ts';
import { tryMachineLock } from '../system/machine-lock.ts';
import { freePort } from '../system/ports.ts';
import { createLogger } from '../worker/logger.ts';
import type { UpOptions } from './commands/up.ts';
import { printJson, processIo, type Io } from './io.ts';
import { InterruptedError } from './report.ts';
import { chooseDom0, setStaleDatabaseAside } from './up/choose.ts';
import { awaitFirstBackup, awaitRegistration, GUEST1, GUEST2, orderGuest, secondsToAnswer, type UpGuest } from './up/guests.ts';
import { loginKey } from './up/key.ts';
import { startAll, Started, type UpRun } from './up/servers.ts';
import { createStages } from './up/stages.ts';
import { printSummary, summarise, type Summary } from './up/summary.ts';

/** Starts all, has guest1 made, and guest2 for comparison, and says what there is then. */
async function bringUp(run: UpRun & { readonly begun: number }, options: UpOptions, io: Io): Promise<Summary> {
  const { stateDir, stages, started, signal } = run;
  const key = await loginKey(stateDir);
  const { dom0, uiUrl } = await startAll(run);
  const flow = await connect({ address: `127.0.0.1:${run.temporalPort}`, stateDir });
  started.add(() => flow.close());
  await stages.run('dom0 worker', async (say) => {
    say('waiting for the worker of the dom0');
    await awaitRegistration(flow, dom0.host, signal);
    return `${dom0.host} registered`;
  });
  const orders = { flow, host: dom0.host, publicKey: key.publicKey, io, options, signal };
  const { status, found } = await orderGuest(orders, GUEST1);
  await awaitFirstBackup(orders, GUEST1);
  const seconds = (performance.now() - run.begun) / 1000;
  // A dom0 that sells guests gets no second one for show.
  if (dom0.kind !== 'here') {
    stages.note(`${GUEST2.name} follows by the recipe ${GUEST2.recipe}, for comparison`);
    await orderGuest(orders, GUEST2);
    await awaitFirstBackup(orders, GUEST2);
  }
  const recipes = await Promise.all((dom0.kind === 'here' ? [GUEST1] : [GUEST1, GUEST2]).map((each) => timed(flow, each)));
  const about = { name: status.name, found, uiUrl, recipes, seconds, stages: stages.all() };
  return summarise(flow, dom0, key, join(stateDir, 'ssh', 'known_hosts'), about);
}

async function timed(flow: Guestflow, { name, recipe }: UpGuest): Promise<Summary['recipes'][number]> {
  const { operation } = await flow.progress(name);
  return { guest: name, recipe, ...defined({ secondsToAnswer: secondsToAnswer(operation?.steps ?? []) }) };
}

/** What ends a run early. */
interface Interruptions {
  readonly signal: AbortSignal;
  /** Rejects with the reason. */
  readonly stopped: Promise<never>;
  readonly giveUp: UpRun['giveUp'];
  /** Ctrl-C and SIGTERM end it no longer. */
  readonly takeBack: () => void;
}

/** Ctrl-C and SIGTERM, until they are taken back, and what cannot go on. */
function takeInterruptions(): Interruptions {
  const stop = new AbortController();
  const reason = new InterruptedError('interrupted; what was started is stopped, and goes on from there with the next start');
  const onSignal = (): void => stop.abort(reason);
  const stopped = new Promise<never>((_resolve, reject) =>
    stop.signal.addEventListener('abort', () => reject(stop.signal.reason as Error)),
  );
  stopped.catch(() => undefined);
  process.on('SIGINT', onSignal).on('SIGTERM', onSignal);
  return {
    signal: stop.signal,
    stopped,
    giveUp: (why) => stop.abort(why),
    takeBack: () => process.off('SIGINT', onSignal).off('SIGTERM', onSignal),
  };
}

/**
 * Runs `guestflow up`, one at a time in a state directory: a second one would take Temporal and the lab away from the first.
 *
 * @returns when it is stopped, or with `--once` when the guests are there
 * @throws GuestflowError `Busy` when another one has the state directory
 */
export async function up(options: UpOptions, io: Io = processIo()): Promise<undefined> {
  const named = resolve(options.stateDir ?? defaultStateDir());
  // By whichever name it is called. One that is not there yet has no other.
  const base = await realpath(named).catch(() => named);
  const lock = await tryMachineLock(`up/${base}`);
  if (lock === undefined)
    throw new GuestflowError('Busy', `another guestflow up runs with the state directory ${base}`, {
      mend: 'go on with that one, end it first, or name another directory: --state-dir DIR',
    });
  try {
    await runUp(base, options, io);
  } finally {
    await lock.release();
  }
  return undefined;
}

async function runUp(base: string, options: UpOptions, io: Io): Promise<void> {
  const begun = performance.now();
  const kind = await chooseDom0(options, base, io);
  // What the simulation made is no guest of the lab's: each has its own Temporal.
  const stateDir = kind === 'simulated' ? join(base, 'simulated') : base;
  const logger = createLogger('guestflow', join(stateDir, 'guestflow.log'));
  const stages = createStages(io, options);
  const started = new Started();
  const { signal, stopped, giveUp, takeBack } = takeInterruptions();
  try {
    await setStaleDatabaseAside(kind, stateDir, stages);
    const temporalPort = await freePort(7233);
    const { release, serverless: isServerless = false } = options;
    const dom0 = { kind, stateDir, release, temporalPort, signal, logger, giveUp };
    const work = bringUp({ ...dom0, begun, isServerless, stages, started }, options, io);
    const summary = await Promise.race([work, stopped]).catch(async (error: unknown) => {
      // What is under way ends first, or it would start something after all was stopped.
      if (signal.aborted) await work.catch(() => undefined);
      throw error;
    });
    if (options.json) printJson(io, summary);
    else printSummary(io, summary);
    if (options.once) return;
    stages.note('Ctrl-C stops everything; the next start finds the guest as it is left');
    await stopped;
  } finally {
    takeBack();
    process.on('SIGINT', () => undefined);
    await started.stopAll(logger);
  }
}
