/**
 * The trial of a golden root file system: a machine of its own is made of it, which is started in a small domain without a network, and removed. It is
 * nobody's, and by its marks a distribution's.
 */
import { goldenTrialName, RENEWAL_ORDER, TRIAL_MEMORY_BYTES, type GoldenSystem } from '../../../contract/golden.ts';
import type { GuestRef, GuestSpec } from '../../../contract/guest.ts';
import type { StepEnv } from '../env.ts';
import { findNextRoot } from '../images/golden-next.ts';
import { opened } from '../images/golden-root.ts';
import { nobodyOf } from '../images/golden-system.ts';
import { ensureFromGolden } from './golden-volumes.ts';
import { removeGuestState } from './guest-state.ts';
import { endTrial, endTrialDomain, makeTrialSwap, mustKeepConsoles, bootTrial, type TrialResult } from './prove.ts';

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
  await mustKeepConsoles(env);
  await endGoldenTrial(env, system);
  const spec = specOf(env, system);
  const golden = opened(env, await findNextRoot(env, system));
  const bytes = await env.storage.roundUp(system.diskBytes);
  await ensureFromGolden(env, spec, { role: 'trial', bytes, golden });
  await makeTrialSwap(env, spec);
  return { bytes };
}

/** Starts it, and waits for its login. @throws GuestDidNotAnswer, with the end of its console */
export async function bootGoldenTrial(env: StepEnv, { system }: OfSystem): Promise<TrialResult> {
  return await bootTrial(env, specOf(env, system), 'the golden root file system');
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
