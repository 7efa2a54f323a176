/** What `guestflow up` starts, in this process and beside it, and stops again at its end. */
import { join } from 'node:path';
import { loadCodecKeys } from '../../client/codec/keys.ts';
import { GuestflowError } from '../../contract/errors.ts';
import { bundleWorkflows } from '../../worker/bundle.ts';
import { runControlWorker } from '../../worker/control.ts';
import { startEmbeddedTemporal, type EmbeddedTemporal } from '../../worker/embedded-temporal.ts';
import type { Logger } from '../../worker/logger.ts';
import { labDom0, simulatedDom0, thisDom0, type Dom0Options, type UpDom0 } from './dom0.ts';
import { endServerless, prepareFunction, rollOutFunction } from './serverless.ts';
import type { Stages } from './stages.ts';

const TEMPORAL_LOOK_MS = 2_000;

/** One run of `guestflow up`. */
export interface UpRun extends Omit<Dom0Options, 'say'> {
  readonly kind: UpDom0['kind'];
  /** Temporal starts the control worker when there is work: none runs here. */
  readonly isServerless: boolean;
  readonly stages: Stages;
  readonly started: Started;
}

/** Undo of what was started, in reverse order. */
export class Started {
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

/** Gives the run up when the server has ended by itself: nothing would ever go on. @returns what ends the looks */
function watchTemporal({ kind, stateDir, giveUp }: UpRun, temporal: EmbeddedTemporal): () => Promise<void> {
  const look = (): void => {
    if (temporal.isAlive()) return;
    clearInterval(looks);
    const log = join(stateDir, 'temporal', 'server.log');
    const reason = `the embedded Temporal (pid ${String(temporal.pid)}) has ended by itself; its last words are in ${log}`;
    giveUp(
      new GuestflowError('Unreachable', reason, {
        mend: kind === 'simulated' ? 'start again' : 'start again: what was under way goes on from there',
      }),
    );
  };
  const looks = setInterval(look, TEMPORAL_LOOK_MS);
  looks.unref();
  return () => {
    clearInterval(looks);
    return Promise.resolve();
  };
}

async function startTemporal(run: UpRun, workerController?: Readonly<Record<string, string>>): Promise<string> {
  const { stateDir, temporalPort: port, stages, started, signal } = run;
  let uiUrl = '';
  await stages.run('temporal', async (say) => {
    const temporal = await startEmbeddedTemporal({ stateDir, port, onProgress: say, signal, workerController });
    started.add(() => temporal.stop());
    started.add(watchTemporal(run, temporal));
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

async function startControlWorker({ stateDir, temporalPort, stages, started, logger }: UpRun): Promise<void> {
  await stages.run('control worker', async (say) => {
    say('bundling workflows');
    await bundleWorkflows(undefined, { encodesFailures: (await loadCodecKeys()).length > 0 });
    const stop = new AbortController();
    let ready = (): void => undefined;
    const polls = new Promise<void>((resolve) => {
      ready = resolve;
    });
    const running = runControlWorker({ address: `127.0.0.1:${temporalPort}`, signal: stop.signal, logger, onReady: ready });
    started.add(async () => {
      stop.abort();
      await running;
    });
    await Promise.race([polls, running]);
    await endServerless(stateDir, temporalPort);
    return 'polls';
  });
}

async function startDom0(run: UpRun): Promise<UpDom0> {
  const starters = { lab: labDom0, here: thisDom0, simulated: simulatedDom0 };
  let made: UpDom0 | undefined;
  await run.stages.run(run.kind === 'lab' ? 'lab' : 'dom0', async (say) => {
    const dom0 = await starters[run.kind]({ ...run, say });
    run.started.add(() => dom0.stop());
    made = dom0;
    return dom0.host;
  });
  if (made === undefined) throw new Error('no dom0 was started');
  return made;
}

/** Starts Temporal, the control worker and the dom0. A worker in this process needs Temporal first; the lab is built beside it. */
export async function startAll(run: UpRun): Promise<{ dom0: UpDom0; uiUrl: string }> {
  const temporal = async (): Promise<string> => {
    const controlFunction = run.isServerless ? await prepareFunction(run) : undefined;
    const uiUrl = await startTemporal(run, controlFunction?.environment);
    await (controlFunction === undefined ? startControlWorker(run) : rollOutFunction(run, controlFunction));
    return uiUrl;
  };
  if (run.kind !== 'lab') {
    const uiUrl = await temporal();
    return { dom0: await startDom0(run), uiUrl };
  }
  const [uiUrl, dom0] = await Promise.all([temporal(), startDom0(run)]);
  return { dom0, uiUrl };
}
