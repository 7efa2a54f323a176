/**
 * The trial of a golden root file system: a machine of its own is made of it, which is started in a small domain without a network, and removed. It is
 * nobody's, and by its marks a distribution's.
 */
import { goldenTrialName, RENEWAL_ORDER, TRIAL_MEMORY_BYTES, type GoldenSystem } from '../../../contract/golden.ts';
import type { GuestRef, GuestSpec } from '../../../contract/guest.ts';
import type { StepEnv } from '../env.ts';
import { findNextRoot } from '../images/golden-next.ts';
import { opened } from '../images/golden-root.ts';
import { goldenNetwork, nobodyOf } from '../images/golden-system.ts';
import { removeGuestState } from './guest-state.ts';
import { endTrial, endTrialDomain, makeTrialSwap, mustKeepConsoles, startTrial, type TrialResult } from './prove.ts';
import { fillDisk, growToDisk } from './restore.ts';

interface OfDist {
  readonly dist: string;
}

interface OfSystem {
  readonly system: GoldenSystem;
}

function refOf({ settings }: StepEnv, dist: string): GuestRef {
  return { name: goldenTrialName(dist), order: RENEWAL_ORDER, dom0: settings.host };
}

function specOf(env: StepEnv, system: GoldenSystem): GuestSpec {
  const nobody = nobodyOf(env.settings, system);
  const size = { ...nobody.size, memoryBytes: TRIAL_MEMORY_BYTES };
  return { ...nobody, ...refOf(env, system.dist), size, hostname: `golden-${system.dist}` };
}

/**
 * Makes the disks of the trial: the root disk from the golden root file system that waits to be used, made a machine of its own; and an empty swap. What a
 * trial before has left goes first.
 *
 * @throws HostNotReady when nothing keeps the consoles of domains; NotFound, NoCapacity, ToolFailed
 */
export async function makeGoldenTrial(env: StepEnv, { system }: OfSystem): Promise<{ readonly bytes: number }> {
  const { storage } = env;
  await mustKeepConsoles(env);
  await endGoldenTrial(env, system);
  const spec = specOf(env, system);
  const golden = opened(env, await findNextRoot(env, system));
  const bytes = await storage.roundUp(system.diskBytes);
  await storage.ensure(spec, {
    role: 'trial',
    bytes,
    field: 'disk',
    template: () => Promise.resolve(golden.template),
    fill: async (device, isClone) => {
      if (isClone) await growToDisk(env, golden, { device, bytes });
      else await fillDisk(env, golden, { device, bytes });
      // As a rescue system it gets no key of guestflow's: nobody logs in.
      await env.kindOf(spec).makePersonal(spec, device, { network: goldenNetwork(env.settings), isGolden: true, beside: 'rescue' });
    },
  });
  await makeTrialSwap(env, spec);
  return { bytes };
}

/** Starts it, and waits for its login. @throws GuestDidNotAnswer, with the end of its console */
export async function bootGoldenTrial(env: StepEnv, { system }: OfSystem): Promise<TrialResult> {
  return await startTrial(env, specOf(env, system), 'the golden root file system');
}

/** Ends its domain, so that an order has the memory at once. */
export async function stopGoldenTrial(env: StepEnv, { dist }: OfDist): Promise<void> {
  await endTrialDomain(env, refOf(env, dist));
}

/** Removes all of it: its domain, its cfg, its disks, which are wiped, and what dom0 knows of it. */
export async function endGoldenTrial(env: StepEnv, { dist }: OfDist): Promise<void> {
  const ref = refOf(env, dist);
  await endTrial(env, ref);
  await removeGuestState(env, ref);
}
