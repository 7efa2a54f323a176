/** A terminated guest's disks within its grace period: under another name, whole, and back (promise 9). */
import type { GuestRef } from '../../contract/types.ts';
import { GuestflowError } from '../../contract/errors.ts';
import { listVolumes, renameVolume } from '../host/lvm.ts';
import { guestVolumes } from '../guest-paths.ts';
import { isOwner, volumeOwner } from '../marks.ts';
import type { StepEnv } from '../step.ts';
import { mustBeOff, RELEASED_PREFIX, removeSnapshot } from './undo.ts';

/** Renames the guest's volumes: nothing that looks for them by name finds them, and no data is touched. */
export async function retireVolumes(env: StepEnv, ref: GuestRef): Promise<void> {
  await mustBeOff(env, ref);
  await removeSnapshot(env, ref);
  await rename(env, ref, (name) => [name, `${RELEASED_PREFIX}${name}`]);
}

/** Undo of `retireVolumes`. */
export async function reviveVolumes(env: StepEnv, ref: GuestRef): Promise<void> {
  await rename(env, ref, (name) => [`${RELEASED_PREFIX}${name}`, name]);
}

async function rename(env: StepEnv, ref: GuestRef, pairOf: (name: string) => readonly [from: string, to: string]): Promise<void> {
  const vg = env.settings.volumeGroup;
  const { root, swap } = guestVolumes(ref.name);
  const own = new Set((await listVolumes(env.host, vg)).filter((volume) => isOwner(volumeOwner(volume), ref)).map(({ name }) => name));
  for (const [from, to] of [root, swap].map(pairOf)) {
    if (own.has(from)) await renameVolume(env.host, vg, from, to);
    else if (!own.has(to))
      throw new GuestflowError('NotFound', `${ref.name} has no volume ${vg}/${from} or ${vg}/${to}: nothing was renamed`);
  }
}
