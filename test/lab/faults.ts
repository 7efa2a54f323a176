/** What breaks in the lab, for the tests and for the soak: the dom0 worker, the dom0's power, Temporal and the control worker, the network. */
import { setTimeout as sleep } from 'node:timers/promises';
import { isSettled } from '../../client/index.ts';
import type { GuestOrder } from '../../contract/guest.ts';
import type { PROVISION_STEPS } from '../../contract/progress.ts';
import { complaintsAbout, leftOf, onDom0, untilStep } from './guests.ts';
import type { Inventory } from './inventory.ts';
import { killControlWorker, killTemporal, killTemporalAndControl, startControlWorker, startTemporal } from './processes.ts';
import type { Rig } from './rig.ts';

/** Numbers from 0 to 1 that are the same for the same seed (mulberry32). */
export function randomOf(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

export function pick<T>(random: () => number, from: readonly T[]): T {
  const found = from[Math.floor(random() * from.length)];
  if (found === undefined) throw new Error('there is nothing to pick from');
  return found;
}

/** Waits, for a minute, while systemd has still to start the unit again: a kill that finds nothing is none. */
const KILL_WORKER = `
for try in $(seq 60); do
  pid=$(systemctl show --property=MainPID --value guestflow-dom0.service)
  if [ "$pid" != 0 ] && kill -KILL "$pid" 2>/dev/null; then echo killed; exit 0; fi
  sleep 1
done`;

async function startControlAgain(rig: Rig): Promise<void> {
  await startControlWorker(rig.stateDir, `127.0.0.1:${String(rig.temporalPort)}`);
}

async function cutLink(rig: Rig, ms: number): Promise<void> {
  await rig.lab.setLink(false);
  await sleep(ms);
  await rig.lab.setLink(true);
}

export const FAULTS = {
  /** SIGKILL to the worker's process; systemd ends what it had started, and starts it again. Returns whether there was one within a minute. */
  'worker killed': async (rig: Rig): Promise<boolean> => (await onDom0(rig, KILL_WORKER, 300_000)).trim() === 'killed',
  /** The machine is reset: what was in its memory is gone. Returns when dom0 answers again. */
  'power cut': async (rig: Rig): Promise<void> => {
    await rig.lab.reset();
  },
  /** The control worker lives on, and must find the way back. */
  'Temporal killed': async (rig: Rig): Promise<void> => {
    killTemporal(rig.stateDir);
    await startTemporal(rig.stateDir, rig.temporalPort);
  },
  'control worker killed': async (rig: Rig): Promise<void> => {
    killControlWorker(rig.stateDir);
    await startControlAgain(rig);
  },
  /** Both are killed, and start again. */
  'Temporal and control worker killed': async (rig: Rig): Promise<void> => {
    killTemporalAndControl(rig.stateDir);
    await startTemporal(rig.stateDir, rig.temporalPort);
    await startControlAgain(rig);
  },
  /** dom0 and Temporal do not reach each other for half a minute. */
  'link cut': (rig: Rig): Promise<void> => cutLink(rig, 30_000),
  /** For longer than a step's heartbeat may be late (40 s): Temporal gives the step up while it goes on, and hands it out again. */
  'link cut for long': (rig: Rig): Promise<void> => cutLink(rig, 75_000),
} as const satisfies Record<string, (rig: Rig) => Promise<unknown>>;

export type FaultName = keyof typeof FAULTS;

/** The step of the first backup, which follows an order. */
export const FIRST_BACKUP_STEP = 'backup';

/** How long a step of an order, or of its first backup, usually takes in the lab, in milliseconds. The first one, `reserve`, is the ledger's, and over at once. */
export const USUAL_MS: Readonly<Record<Exclude<(typeof PROVISION_STEPS)[number], 'reserve'> | typeof FIRST_BACKUP_STEP, number>> = {
  plan: 3_000,
  golden: 3_000,
  'create-image': 60_000,
  'cfg-fix': 3_000,
  boot: 60_000,
  'sysctl-wallclock': 8_000,
  'lvm-migration': 90_000,
  autostart: 3_000,
  'nightly-backup': 500,
  seal: 8_000,
  [FIRST_BACKUP_STEP]: 40_000,
};

/** While something is done, the guests' kernel on the dom0 is no kernel. */
export async function withoutKernel<T>(rig: Rig, work: () => Promise<T>): Promise<T> {
  const kernel = (await onDom0(rig, `sed -n 's/^kernel: *//p' /etc/guestflow/dom0.yaml`)).trim();
  await onDom0(rig, `mv ${kernel} ${kernel}.good; head -c 1048576 /dev/urandom > ${kernel}`);
  try {
    return await work();
  } finally {
    await onDom0(rig, `mv -f ${kernel}.good ${kernel}`);
  }
}

/** While something is done, the disk on which images are made is full. */
export async function withFullDisk<T>(rig: Rig, work: () => Promise<T>): Promise<T> {
  try {
    // All of it, what is kept for root included.
    await onDom0(rig, 'fallocate -l "$(( $(stat -f -c "%f * %S" /home/xen) - 50 * 1048576 ))" /home/full');
    return await work();
  } finally {
    await onDom0(rig, 'rm -f /home/full');
  }
}

/** A fault, so many milliseconds after a step of an order has begun. */
export interface Moment {
  readonly fault: FaultName;
  readonly step: string;
  readonly afterMs: number;
}

/** A fault within a step, somewhere in its first `longestMs`. */
export function momentIn(random: () => number, fault: FaultName, step: keyof typeof USUAL_MS, longestMs = USUAL_MS[step]): Moment {
  return { fault, step, afterMs: Math.round(random() * longestMs) };
}

/** Everything that may die, once or more often, over one order. */
export function allThatDies(random: () => number): Moment[] {
  return [
    momentIn(random, 'worker killed', 'create-image', 10_000),
    momentIn(random, 'Temporal killed', 'cfg-fix', 30_000),
    momentIn(random, 'worker killed', 'boot', 30_000),
    momentIn(random, 'control worker killed', 'boot'),
    momentIn(random, 'power cut', 'lvm-migration', 30_000),
    momentIn(random, 'link cut', 'lvm-migration', 60_000),
    momentIn(random, 'worker killed', FIRST_BACKUP_STEP, 15_000),
  ];
}

/** Whether an order is over, and the first backup after it. While nobody can answer, because of a fault, it is not known to be. */
async function isOver(rig: Rig, name: string): Promise<boolean> {
  return rig.flow.status(name).then(isSettled, () => false);
}

/** Lets the faults happen to the order, one after the other; ends early when the order is over. */
export async function strike(
  rig: Rig,
  name: string,
  moments: readonly Moment[],
  say: (message: string) => void = () => undefined,
): Promise<void> {
  for (const { fault, step, afterMs } of moments) {
    await untilStep(rig, name, step);
    if (!(await isOver(rig, name))) await sleep(afterMs);
    if (await isOver(rig, name)) {
      say(`${name} is over before: ${fault} in ${step}`);
      return;
    }
    say(`${fault}, ${(afterMs / 1000).toFixed(1)} s after ${name}'s ${step} began`);
    await FAULTS[fault](rig);
  }
}

/** What came of an order, and in words what is wrong with that; empty when it was finished or undone as promised. */
export async function outcomeOf(
  rig: Rig,
  order: GuestOrder,
  before: Inventory,
  others: readonly string[] = [],
): Promise<{ phase: string; reason: string; wrong: string[] }> {
  const status = await rig.flow.waitFor(order.name);
  const failure = await rig.flow.failureOf(status);
  const reason = failure === undefined ? '' : `${failure.type}: ${failure.message}`;
  if (status.phase === 'running') return { phase: status.phase, reason, wrong: await complaintsAbout(rig, order, before, others) };
  if (status.phase === 'failed') return { phase: status.phase, reason, wrong: await leftOf(rig, order, before, others) };
  return { phase: status.phase, reason, wrong: [`${order.name} is ${status.phase}: ${reason}`] };
}
