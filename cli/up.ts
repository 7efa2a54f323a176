/** `guestflow up`: Temporal, control worker and a dom0 in one, and guest1 on it. What `npm start` runs. */
import { rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { connect, resolveOrder, type Guestflow } from '../client/index.ts';
import { GuestflowError } from '../contract/errors.ts';
import { loadPlans } from '../order/plans.ts';
import type { GuestInventory } from '../contract/dom0.ts';
import type { GuestStatus } from '../contract/guest.ts';
import { labKind, labRequirements, labStatus } from '../lab/index.ts';
import { bundleWorkflows } from '../worker/bundle.ts';
import { runControlWorker } from '../worker/control.ts';
import { startEmbeddedTemporal } from '../worker/embedded-temporal.ts';
import { createLogger, type Logger } from '../worker/logger.ts';
import { freePort } from '../system/ports.ts';
import { until } from '../system/until.ts';
import { defaultStateDir } from '../client/config.ts';
import { loadCodecKeys } from '../client/codec/keys.ts';
import type { UpOptions } from './commands/up.ts';
import { printJson, processIo, type Io } from './io.ts';
import { createProgress } from './progress.ts';
import { InterruptedError } from './report.ts';
import { isXenDom0, labDom0, simulatedDom0, thisDom0, type Dom0Options, type UpDom0 } from './up/dom0.ts';
import { loginKey } from './up/key.ts';
import { createStages, type Stages } from './up/stages.ts';
import { hasDatabase, printSummary, summarise } from './up/summary.ts';

const GUEST = 'guest1';
const PLAN = 'small';

/** Measured on two cores without hardware virtualisation; what is needed is what the lab looks for beforehand. */
const FIRST_RUN = `This is the first run here: it makes a Xen dom0 in QEMU and a guest on it, which takes about ten minutes on two cores, and longer on a busy machine.
It needs 8 GiB of memory, 12 GiB of disk and a source of Debian packages, all of which was looked for. Later runs go on from there.
`;

type Kind = UpDom0['kind'];

/** Undo of what was started, in reverse order. */
class Started {
  private readonly stops: (() => Promise<void>)[] = [];

  add(stop: () => Promise<void>): void {
    this.stops.push(stop);
  }

  async stopAll(logger: Logger): Promise<void> {
    for (const stop of this.stops.reverse())
      await stop().catch((error: unknown) => {
        logger.error({ err: error }, 'something would not stop');
      });
    this.stops.length = 0;
  }
}

/** Which dom0 it will be, before anything is changed; a first run of the lab says what lies ahead. */
async function chooseDom0(options: UpOptions, stateDir: string, io: Io): Promise<Kind> {
  if (options.simulate) return 'simulated';
  if (isXenDom0()) {
    if (options.dom0Here) return 'here';
    throw new GuestflowError('HostNotReady', 'this machine is a Xen dom0: guestflow makes guests on it only with your leave', {
      mend: 'say --dom0-here, or --simulate to look at workflows without Xen',
    });
  }
  if (options.dom0Here)
    throw new GuestflowError(
      'HostNotReady',
      '--dom0-here was said, but this machine is no Xen dom0 (no /proc/xen/capabilities, or no xl)',
      { mend: 'leave it out: the lab is used then' },
    );
  const { problems, isBuilt } = await labRequirements({ stateDir }, labKind(options.release));
  if (problems.length === 0) {
    if (!isBuilt) io.stderr.write(FIRST_RUN);
    return 'lab';
  }
  const rows = problems.map(({ what, why, mend }) => `\n- ${what}: ${why}; ${mend}`).join('');
  throw new GuestflowError('HostNotReady', `the lab cannot run here; nothing was changed:${rows}`, {
    mend: 'mend these, or say --simulate to look at workflows without Xen',
  });
}

/** A database that speaks of guests on a machine that is no more would mislead: it is set aside. */
async function setStaleDatabaseAside(kind: Kind, stateDir: string, stages: Stages): Promise<void> {
  if (kind === 'simulated') {
    await rm(join(stateDir, 'temporal'), { recursive: true, force: true });
    return;
  }
  if (kind !== 'lab' || !hasDatabase(stateDir) || (await labStatus({ stateDir })).state !== 'absent') return;
  const aside = join(stateDir, `temporal.before-${new Date().toISOString().replace(/[-:]|\.\d+/g, '')}`);
  await rename(join(stateDir, 'temporal'), aside);
  stages.note(`the lab is new, Temporal's database is of an earlier one: set aside as ${aside}`);
}

async function startTemporal(stateDir: string, port: number, stages: Stages, started: Started, signal: AbortSignal): Promise<string> {
  let uiUrl = '';
  await stages.run('temporal', async (say) => {
    const temporal = await startEmbeddedTemporal({ stateDir, port, onProgress: say, signal });
    started.add(() => temporal.stop());
    if (temporal.address !== `127.0.0.1:${port}`) {
      throw new GuestflowError('Unreachable', `Temporal serves at ${temporal.address}, where dom0 cannot reach it`, {
        mend: `end what uses port ${port}, then start again`,
      });
    }
    uiUrl = temporal.uiUrl;
    return `${temporal.address}, UI ${temporal.uiUrl}`;
  });
  return uiUrl;
}

async function startControlWorker(address: string, stages: Stages, started: Started, logger: Logger): Promise<void> {
  await stages.run('control worker', async (say) => {
    say('bundling workflows');
    await bundleWorkflows(undefined, { encodesFailures: (await loadCodecKeys()).length > 0 });
    const stop = new AbortController();
    let ready = (): void => undefined;
    const polls = new Promise<void>((resolve) => {
      ready = resolve;
    });
    const running = runControlWorker({ address, signal: stop.signal, logger, onReady: ready });
    started.add(async () => {
      stop.abort();
      await running;
    });
    await Promise.race([polls, running]);
    return 'polls';
  });
}

/** Temporal and the control worker beside the dom0: neither waits for the other. */
async function startAll(
  kind: Kind,
  context: Omit<Dom0Options, 'say'>,
  stages: Stages,
  started: Started,
): Promise<{ dom0: UpDom0; uiUrl: string }> {
  const { stateDir, temporalPort, signal, logger } = context;
  const temporal = async (): Promise<string> => {
    const uiUrl = await startTemporal(stateDir, temporalPort, stages, started, signal);
    await startControlWorker(`127.0.0.1:${temporalPort}`, stages, started, logger);
    return uiUrl;
  };
  const starters = { lab: labDom0, here: thisDom0, simulated: simulatedDom0 };
  const dom0 = async (): Promise<UpDom0> => {
    let made: UpDom0 | undefined;
    await stages.run(kind === 'lab' ? 'lab' : 'dom0', async (say) => {
      made = await starters[kind]({ ...context, say });
      const dom0 = made;
      started.add(() => dom0.stop());
      return made.host;
    });
    if (made === undefined) throw new Error('no dom0 was started');
    return made;
  };
  // A worker in this process needs Temporal first; the lab is built beside it.
  if (kind !== 'lab') {
    const uiUrl = await temporal();
    return { dom0: await dom0(), uiUrl };
  }
  const [uiUrl, made] = await Promise.all([temporal(), dom0()]);
  return { dom0: made, uiUrl };
}

/** Until the dom0's worker has said what it has. */
async function awaitRegistration(flow: Guestflow, host: string, signal: AbortSignal): Promise<void> {
  const look = (): Promise<boolean> =>
    flow.dom0State(host).then(
      ({ facts }) => facts !== undefined,
      () => false,
    );
  await until(look, { everyMs: 300, signal });
}

/** Orders guest1, or finds it; waits until it is settled. */
async function orderGuest(
  flow: Guestflow,
  host: string,
  publicKey: string,
  io: Io,
  options: UpOptions,
  signal: AbortSignal,
): Promise<{ status: GuestStatus; found: boolean }> {
  const before = await flow.status(GUEST).catch(() => undefined);
  const found = before !== undefined && before.phase !== 'failed';
  const order = resolveOrder({ name: GUEST, plan: PLAN, sshKeys: [publicKey] }, { plans: await loadPlans(), defaults: { dom0: host } });
  if (!found || before.phase === 'provisioning') await flow.order(order);
  const progress = createProgress({ json: false, stream: io.stderr, simulated: options.simulate === true });
  try {
    const status = await flow.waitFor(GUEST, {
      signal,
      onProgress: ({ status: now, ...detail }) => {
        if (!found || now.phase !== 'running') progress.update(now, detail);
      },
    });
    return { status: await mustRun(flow, status), found };
  } finally {
    progress.stop();
  }
}

/** A guest that was found is started if it is off; one that failed says why. */
async function mustRun(flow: Guestflow, status: GuestStatus): Promise<GuestStatus> {
  const failure = await flow.failureOf(status);
  if (failure !== undefined) throw failure;
  const ref = { name: status.name, order: status.order, dom0: status.dom0 };
  const { domain } = await flow.dom0Task<GuestInventory>(status.dom0, 'inspect', { guest: ref });
  if (domain === undefined || status.phase === 'stopped') await flow.operate(status.name, 'start');
  return flow.status(status.name);
}

/** Runs `guestflow up`. @returns when it is stopped, or with `--once` when guest1 is there. */
export async function up(options: UpOptions, io: Io = processIo()): Promise<undefined> {
  const begun = performance.now();
  const base = options.stateDir ?? defaultStateDir();
  const kind = await chooseDom0(options, base, io);
  // What the simulation made is no guest of the lab's: each has its own Temporal.
  const stateDir = kind === 'simulated' ? join(base, 'simulated') : base;
  const logger = createLogger('guestflow', join(stateDir, 'guestflow.log'));
  const stages = createStages(io, options);
  const started = new Started();
  const stop = new AbortController();
  const onSignal = (): void => {
    stop.abort(new InterruptedError('interrupted; what was started is stopped, and goes on from there with the next start'));
  };
  process.on('SIGINT', onSignal).on('SIGTERM', onSignal);
  const stopped = new Promise<never>((_resolve, reject) => {
    stop.signal.addEventListener('abort', () => {
      reject(stop.signal.reason as Error);
    });
  });
  stopped.catch(() => undefined);
  try {
    await setStaleDatabaseAside(kind, stateDir, stages);
    const temporalPort = await freePort(7233);
    const key = await loginKey(stateDir);
    const work = async (): Promise<void> => {
      const { dom0, uiUrl } = await startAll(
        kind,
        { stateDir, release: options.release, temporalPort, signal: stop.signal, logger },
        stages,
        started,
      );
      const flow = await connect({ address: `127.0.0.1:${temporalPort}`, stateDir });
      started.add(() => flow.close());
      await stages.run('dom0 worker', async (say) => {
        say('waiting for the worker of the dom0');
        await awaitRegistration(flow, dom0.host, stop.signal);
        return `${dom0.host} registered`;
      });
      const { status, found } = await orderGuest(flow, dom0.host, key.publicKey, io, options, stop.signal);
      const summary = await summarise(flow, dom0, key, join(stateDir, 'ssh', 'known_hosts'), {
        name: status.name,
        found,
        uiUrl,
        stages: stages.all(),
        seconds: (performance.now() - begun) / 1000,
      });
      if (options.json) printJson(io, summary);
      else printSummary(io, summary);
    };
    const working = work();
    await Promise.race([working, stopped]).catch(async (error: unknown) => {
      // What is under way ends first, or it would start something after all was stopped.
      if (stop.signal.aborted) await working.catch(() => undefined);
      throw error;
    });
    if (options.once) return undefined;
    stages.note('Ctrl-C stops everything; the next start finds the guest as it is left');
    return await stopped;
  } finally {
    stages.stop();
    process.off('SIGINT', onSignal).off('SIGTERM', onSignal);
    process.on('SIGINT', () => undefined);
    await started.stopAll(logger);
  }
}
