/** All processes of guestflow with their health and metrics, in one process: a Temporal that can be ended, a control worker, a fake dom0, a gateway. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pino from 'pino';
import { connect, type Guestflow } from '../../client/index.ts';
import { createFakeDom0 } from '../../fake/index.ts';
import { runGateway } from '../../gateway/run.ts';
import { createHost } from '../../system/host.ts';
import { freePort } from '../../system/ports.ts';
import { runControlWorker } from '../../worker/control.ts';
import { parseDom0Settings } from '../../worker/dom0-settings.ts';
import { runDom0Worker } from '../../worker/dom0.ts';
import { startEmbeddedTemporal } from '../../worker/embedded-temporal.ts';
import { serveProcess } from '../../worker/served-process.ts';
import { observeTools } from '../../worker/tool-metrics.ts';
import { SIGNUP_SECRET } from '../unit/gateway/bench.ts';

export type Served = 'control' | 'dom0' | 'gateway';

export interface ServedWorld {
  readonly flow: Guestflow;
  /** What a process answers at a path. */
  get(process: Served, path: '/healthz' | '/readyz' | '/metrics'): Promise<{ readonly status: number; readonly text: string }>;
  /** Ends Temporal; the processes go on. */
  stopTemporal(): Promise<void>;
  end(): Promise<void>;
}

const NETWORK = { cidr: '192.168.77.0/24', gateway: '192.168.77.1' };
const logger = pino({ level: 'silent' });

export async function servedWorld(): Promise<ServedWorld> {
  const directory = mkdtempSync(join(tmpdir(), 'served-'));
  const temporal = await startEmbeddedTemporal({
    stateDir: directory,
    port: await freePort(27_233),
    uiPort: await freePort(28_233),
    endsWithUs: true,
  });
  const { address } = temporal;
  const stop = new AbortController();
  const { signal } = stop;
  const ports: Record<Served, number> = { control: await freePort(29_464), dom0: await freePort(29_564), gateway: await freePort(29_664) };
  const dom0 = await createFakeDom0({ network: { ...NETWORK, bridge: 'xenbr0' } });
  const runs: Promise<void>[] = [];
  const started = (run: (onReady: () => void) => Promise<void>): Promise<void> =>
    new Promise((resolve, reject) => {
      runs.push(run(resolve).catch(reject));
    });
  await started((onReady) => runControlWorker({ address, signal, logger, onReady, metricsPort: ports.control }));
  const served = await serveProcess(ports.dom0);
  if (served !== undefined) createHost(observeTools(served.registry));
  const raw = { host: 'served1', network: NETWORK, kernel: '/boot/vmlinuz-6.1.0-49-amd64', initrd: '/boot/initrd.img-6.1.0-49-amd64' };
  await started((onReady) =>
    runDom0Worker({
      settings: { ...parseDom0Settings({ ...raw, wipeMiBPerSecond: 0 }, 'the test'), shutdownGraceSeconds: 1 },
      address,
      signal,
      logger,
      host: dom0.host(),
      watchesDomains: false,
      onReady: (whyNot) => {
        served?.setReadiness(whyNot);
        onReady();
      },
    }),
  );
  const signupSecretFile = join(directory, 'signup');
  writeFileSync(signupSecretFile, SIGNUP_SECRET, { mode: 0o600 });
  process.env['GUESTFLOW_METRICS_PORT'] = String(ports.gateway);
  runs.push(runGateway({ files: { signupSecretFile }, endpoint: { address }, listen: '0', signal, log: logger }));
  const flow = await connect({ address });
  return {
    flow,
    get: async (of, path) => {
      const answer = await fetch(`http://127.0.0.1:${String(ports[of])}${path}`);
      return { status: answer.status, text: await answer.text() };
    },
    stopTemporal: () => temporal.stop(),
    end: async () => {
      stop.abort();
      await flow.close();
      await temporal.stop();
      await Promise.allSettled(runs);
      await served?.close();
      dom0.close();
      delete process.env['GUESTFLOW_METRICS_PORT'];
      rmSync(directory, { recursive: true, force: true });
    },
  };
}
