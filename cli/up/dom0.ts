/** The dom0 that `guestflow up` works on: this machine, the lab, or the fake one; each behind the same few verbs. */
import { existsSync } from 'node:fs';
import { hostname } from 'node:os';
import { createHost } from '../../system/host.ts';
import { loadCodecKeys } from '../../client/codec/keys.ts';
import { GuestflowError } from '../../contract/errors.ts';
import { runDom0Worker, type Dom0WorkerOptions } from '../../worker/dom0.ts';
import { bundledReader } from '../repository/bundled-reader.ts';
import { loadDom0Settings, parseDom0Settings, type Dom0WorkerSettings } from '../../worker/dom0-settings.ts';
import type { Logger } from '../../worker/logger.ts';
import type { Release } from '../../lab/releases.ts';
import { shareCodecKeys } from './lab-keys.ts';

/** A dom0 with a worker on it. */
export interface UpDom0 {
  /** Name that its worker serves. */
  readonly host: string;
  readonly kind: 'lab' | 'here' | 'simulated';
  /** What a command says on the dom0. */
  exec(argv: readonly string[]): Promise<string>;
  /** Words before `root@ADDRESS` in a command that logs in to a guest from this machine. */
  readonly sshOptions: readonly string[];
  /** Stops what was started for it; a lab keeps its machine for the next time. */
  stop(): Promise<void>;
}

export interface Dom0Options {
  /** Debian release of a lab's dom0. Default: the kept one's, or the usual one. */
  readonly release: Release | undefined;
  readonly stateDir: string;
  readonly temporalPort: number;
  readonly signal: AbortSignal;
  readonly logger: Logger;
  readonly say: (message: string) => void;
  /** Ends the run with an error: something that it stands on has ended by itself. */
  readonly giveUp: (reason: Error) => void;
}

/** Whether this machine is a Xen dom0: the hypervisor says so itself. */
export function isXenDom0(): boolean {
  return existsSync('/proc/xen/capabilities') && existsSync('/usr/sbin/xl');
}

/** The lab: Xen in QEMU, the worker inside it. */
export async function labDom0(options: Dom0Options): Promise<UpDom0> {
  const { labDown, labUp } = await import('../../lab/index.ts');
  const { buildDom0Package } = await import('../../deploy/package.ts');
  const place = { stateDir: options.stateDir };
  const lab = await labUp({
    ...place,
    temporalPort: options.temporalPort,
    keep: true,
    release: options.release,
    signal: options.signal,
    packageFile: async () => (await buildDom0Package({})).file,
    onProgress: ({ message, seconds }) => {
      options.say(seconds === undefined ? message : `${message} (${seconds.toFixed(1)} s)`);
    },
  });
  await shareCodecKeys((argv, how) => lab.exec(argv, how), await loadCodecKeys());
  return {
    host: lab.dom0Name,
    kind: 'lab',
    exec: async (argv) => (await lab.exec(argv)).stdout,
    sshOptions: ['-o', `ProxyCommand=ssh -F ${lab.sshConfigFile} -W %h:%p dom0`],
    stop: () => labDown(place, { save: true }),
  };
}

/** This machine is the dom0; its worker runs in this process. */
export async function thisDom0(options: Dom0Options): Promise<UpDom0> {
  const settings = existsSync('/etc/guestflow/dom0.yaml') ? await loadDom0Settings() : defaultSettings(options.stateDir);
  const host = createHost();
  const stop = startWorker(options, settings, { host, reader: bundledReader });
  return {
    host: settings.host,
    kind: 'here',
    exec: async ([tool = '', ...args]) => (await host.run(tool, args)).stdout,
    sshOptions: [],
    stop,
  };
}

function defaultSettings(stateDir: string): Dom0WorkerSettings {
  const reason = `this machine has no /etc/guestflow/dom0.yaml, and its network cannot be guessed`;
  throw new GuestflowError('HostNotReady', reason, {
    field: 'network',
    mend: `write /etc/guestflow/dom0.yaml (deploy/dom0/dom0.yaml is an example for ${hostname()}); the state stays in ${stateDir}`,
  });
}

/** The fake dom0 of the tests: the same steps, no Xen. Each run begins with an empty one. */
export async function simulatedDom0(options: Dom0Options): Promise<UpDom0> {
  const { createFakeDom0 } = await import('../../fake/index.ts');
  const network = { cidr: '192.168.77.0/24', gateway: '192.168.77.1' };
  const fake = await createFakeDom0({ speed: 'watchable', network: { ...network, bridge: 'xenbr0' } });
  const host = fake.host();
  const settings = parseDom0Settings(
    { host: 'simulated', network, kernel: '/boot/vmlinuz-6.1.0-49-amd64', initrd: '/boot/initrd.img-6.1.0-49-amd64' },
    'the simulated dom0',
  );
  // Nothing on it happens by itself.
  const stopWorker = startWorker(options, settings, { host, isSimulated: true, watchesDomains: false });
  return {
    host: settings.host,
    kind: 'simulated',
    exec: async ([tool = '', ...args]) => (await host.run(tool, args)).stdout,
    sshOptions: [],
    stop: async () => {
      await stopWorker();
      fake.close();
    },
  };
}

function startWorker(
  options: Dom0Options,
  settings: Dom0WorkerSettings,
  dom0: Pick<Dom0WorkerOptions, 'host' | 'isSimulated' | 'watchesDomains' | 'reader'>,
): () => Promise<void> {
  const stop = new AbortController();
  const running = runDom0Worker({
    settings: { ...settings, shutdownGraceSeconds: 5 },
    address: `127.0.0.1:${options.temporalPort}`,
    signal: stop.signal,
    logger: options.logger,
    ...dom0,
    countsTraffic: true,
  }).catch((error: unknown) => {
    options.logger.error({ err: error }, 'the dom0 worker ended');
    options.giveUp(error instanceof Error ? error : new Error(String(error)));
  });
  return async () => {
    stop.abort();
    await running;
  };
}
