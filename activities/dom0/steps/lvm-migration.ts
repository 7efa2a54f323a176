/** LVM-migration: disks of the plan's sizes, the image copied into them, checked and grown (row 14 of the how-to). */
import type { GuestRef, GuestSpec } from '../../../contract/guest.ts';
import type { VolumesResult } from '../../../contract/step-results.ts';
import { GuestflowError } from '../../../contract/errors.ts';
import type { StepEnv } from '../env.ts';
import { fillFromImage, makeSwapOn } from '../images/fill.ts';
import { discardImage, diskImageBytes } from '../images/image-files.ts';
import { isOwner } from '../marks.ts';
import { endTrialDomain } from './prove.ts';

/** Makes the guest's disks and fills them from its image. The guest must be off. */
export async function makeVolumes(env: StepEnv, spec: GuestSpec): Promise<VolumesResult> {
  const { storage, toolstack } = env;
  const result: VolumesResult = {
    root: storage.device(spec.name, 'root'),
    swap: storage.device(spec.name, 'swap'),
    copiedBytes: spec.size.diskBytes,
  };
  const whole = new Set(
    (await storage.list()).filter(({ owner, state }) => isOwner(owner, spec) && state === 'whole').map(({ device }) => device),
  );
  if (whole.has(result.root) && whole.has(result.swap)) return result;
  if ((await toolstack.find(spec.name)) !== undefined)
    throw new GuestflowError('ToolFailed', `${spec.name} runs: its image cannot be copied`);
  const imageBytes = await diskImageBytes(env, spec.name);
  if (imageBytes === undefined)
    throw new GuestflowError('ToolFailed', `${spec.name} has no image: there is nothing to copy into ${result.root}`, {}, false);

  await storage.ensure(spec, {
    role: 'root',
    bytes: Math.max(spec.size.diskBytes, imageBytes),
    field: 'disk',
    fill: async (device) => {
      await fillFromImage(env, spec.name, { device, imageBytes });
    },
  });
  await makeSwapDisk(env, spec);
  return result;
}

export async function makeSwapDisk(env: StepEnv, spec: GuestSpec): Promise<void> {
  await env.storage.ensure(spec, {
    role: 'swap',
    bytes: spec.size.swapBytes,
    field: 'swap',
    fill: async (device) => {
      await makeSwapOn(env, device);
    },
  });
}

/**
 * Undo of LVM-migration: ends a trial of the guest, removes its snapshots, then its disks, which are wiped before their room is given back. The wipe is slow
 * on purpose: nobody waits for it, and other guests need the disks.
 */
export async function removeVolumes(env: StepEnv, ref: GuestRef): Promise<void> {
  const { storage, toolstack } = env;
  await storage.mustBeReleasable(ref);
  await endTrialDomain(env, ref);
  await toolstack.wipeSaved(ref);
  await storage.dropSnapshot(ref);
  const own = (await storage.list()).filter(({ owner }) => isOwner(owner, ref));
  if (own.length === 0) return;
  await toolstack.mustBeOff(ref.name);
  await storage.release(ref);
}

/** Removes the image once the guest has answered from its disks. */
export async function dropImage(env: StepEnv, spec: GuestSpec): Promise<void> {
  const device = env.storage.device(spec.name, 'root');
  const isUsed = (await env.storage.list()).some((disk) => disk.device === device && disk.open);
  if (!isUsed) throw new GuestflowError('ToolFailed', `${spec.name} does not use its volume: its image stays`, {}, false);
  await discardImage(env, spec);
  env.log.info({ guest: spec.name }, 'image removed: the guest runs from its volumes');
}
