/** All that a guest's life in the lab needs: Temporal, a control worker, a dom0 with its worker from the Debian package, and ways in. */
import { mkdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client, Connection } from '@temporalio/client';
import { until } from '../../system/until.ts';
import { loginKey } from '../../cli/up/key.ts';
import { connect, loadPlans, resolveOrder, type Guestflow, type OrderDocument } from '../../client/index.ts';
import type { GuestOrder } from '../../contract/guest.ts';
import { buildDom0Package } from '../../deploy/package.ts';
import { DEFAULT_RELEASE, labAttach, labClean, labKind, labStatus, labUp, releaseNamed, RELEASES, type Lab } from '../../lab/index.ts';
import { tryMachineLock } from '../../system/machine-lock.ts';
import { freePort } from '../../system/ports.ts';
import { killTemporalAndControl, startControlWorker, startTemporal, stopTemporalAndControl } from './processes.ts';

/** What one process tells another of a rig. */
export interface RigFacts {
  readonly stateDir: string;
  readonly temporalPort: number;
  readonly sshConfigFile: string;
  /** The customer's key, with which tests log in to guests. */
  readonly keyFile: string;
  readonly publicKey: string;
}

/** A rig that runs. */
export interface Rig extends RigFacts {
  readonly lab: Lab;
  readonly flow: Guestflow;
  /** For what the client library does not show: schedules. */
  readonly temporal: Client;
  /** An order of this rig's customer on its dom0. */
  order(document: OrderDocument): Promise<GuestOrder>;
  close(): Promise<void>;
}

declare module 'vitest' {
  interface ProvidedContext {
    readonly lab: RigFacts;
  }
}

/** A public key without its comment, as a guest gets it. */
export function withoutComment(publicKey: string): string {
  return publicKey.split(' ', 2).join(' ');
}

/** `GUESTFLOW_LAB=full`: the long tests, too. */
export const IS_FULL = process.env['GUESTFLOW_LAB'] === 'full';

/** `GUESTFLOW_LAB=contract`: the tools' contract beside the short tests. In full, it is there, too. */
export const HAS_CONTRACT = IS_FULL || process.env['GUESTFLOW_LAB'] === 'contract';

/** `GUESTFLOW_LAB_RELEASE=trixie`: a dom0 of Debian 13 instead of Debian 12. */
export const LAB_RELEASE = releaseNamed(process.env['GUESTFLOW_LAB_RELEASE'] ?? DEFAULT_RELEASE);

/** Distributions of guests that the lab's dom0 can make: in full all, otherwise bookworm and the dom0's own. */
export const LAB_DISTS = labKind(LAB_RELEASE, IS_FULL ? RELEASES : undefined).dists;

/** `GUESTFLOW_SEED=N`: the faults come at the moments of another seed. */
export const SEED = Number(process.env['GUESTFLOW_SEED'] ?? '1');

const LAB = 'test';
/** The name that `npm start` gives its dom0, too: a dom0 that it saved in the cache serves here. */
const DOM0 = 'lab';
const FIRST_PORT = 17_300;
const REGISTERED_LIMIT_MS = 240_000;

/** Where everything of the rig is. The same for every run, so that a run finds, and clears away, what a killed one has left. */
function rigFolder(): string {
  return join(tmpdir(), `guestflow-lab-${String(process.getuid?.() ?? 0)}`);
}

/** Opens the rig that runs. */
export async function openRig(facts: RigFacts): Promise<Rig> {
  const address = `127.0.0.1:${String(facts.temporalPort)}`;
  const lab = await labAttach({ name: LAB, stateDir: facts.stateDir });
  const connection = await Connection.connect({ address });
  const flow = await connect({ address });
  const plans = await loadPlans();
  return {
    ...facts,
    lab,
    flow,
    temporal: new Client({ connection }),
    order: (document) => Promise.resolve(resolveOrder({ sshKeys: [facts.publicKey], dom0: DOM0, ...document }, { plans })),
    close: async () => {
      await flow.close();
      await connection.close();
    },
  };
}

async function awaitRegistration(port: number): Promise<void> {
  const flow = await connect({ address: `127.0.0.1:${String(port)}` });
  const isRegistered = async (): Promise<boolean> => (await flow.dom0State(DOM0).catch(() => undefined))?.facts !== undefined;
  try {
    if (!(await until(isRegistered, { everyMs: 300, limitMs: REGISTERED_LIMIT_MS })))
      throw new Error(`the worker of the lab's dom0 has not registered within ${REGISTERED_LIMIT_MS / 1000} s`);
  } finally {
    await flow.close();
  }
}

async function clear(stateDir: string): Promise<void> {
  await stopTemporalAndControl(stateDir);
  await labClean({ name: LAB, stateDir });
  await rm(stateDir, { recursive: true, force: true });
}

/**
 * Starts a rig, from nothing: whatever an earlier run has left is cleared away first.
 *
 * @param say told in words what is done.
 * @returns what others need to open it, and its end. `GUESTFLOW_LAB_KEEP=1` leaves it running for a look.
 */
export async function startRig(say: (message: string) => void): Promise<{ facts: RigFacts; stop: () => Promise<void> }> {
  const stateDir = rigFolder();
  const lock = await tryMachineLock('lab-tests');
  if (lock === undefined) throw new Error('lab tests run on this machine already: two of them would take each other for left-overs');
  let machine: number | undefined;
  // Ctrl-C ends vitest without a word to its set-up.
  const killAll = (): void => {
    killTemporalAndControl(stateDir);
    if (machine !== undefined) process.kill(machine, 'SIGKILL');
  };
  const stop = async (): Promise<void> => {
    process.off('exit', killAll);
    if (process.env['GUESTFLOW_LAB_KEEP'] !== '1') await clear(stateDir);
    await lock.release();
  };
  process.on('exit', killAll);
  try {
    await clear(stateDir);
    await mkdir(stateDir, { recursive: true, mode: 0o700 });
    const temporalPort = await freePort(FIRST_PORT);
    const key = await loginKey(stateDir);
    const servers = startTemporal(stateDir, temporalPort).then(() => startControlWorker(stateDir, `127.0.0.1:${String(temporalPort)}`));
    const lab = labUp({
      name: LAB,
      stateDir,
      temporalPort,
      dom0Name: DOM0,
      release: LAB_RELEASE,
      dists: LAB_DISTS,
      packageFile: async () => (await buildDom0Package({})).file,
      onProgress: ({ message, seconds }) => {
        say(seconds === undefined ? message : `${message} (${seconds.toFixed(1)} s)`);
      },
    });
    await Promise.all([servers, lab]);
    machine = (await labStatus({ name: LAB, stateDir })).pid;
    await awaitRegistration(temporalPort);
    return {
      facts: { stateDir, temporalPort, sshConfigFile: (await lab).sshConfigFile, keyFile: key.file, publicKey: key.publicKey },
      stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
}
