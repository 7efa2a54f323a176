/** A terminated guest's disks within its grace period: under another name, whole, and back (promise 9). */
import type { GuestRef } from '../../../contract/types.ts';
import { GuestflowError } from '../../../contract/errors.ts';
import { activateVolume, listVolumes, renameVolume, type Volume } from '../storage/lvm/lvm.ts';
import { guestVolumes } from '../guest-paths.ts';
import { isOwner, volumeOwner } from '../marks.ts';
import type { StepEnv } from '../step.ts';
import { hasReleasedName, isWipeBegun, mustBeOff, mustHaveOwnSnapshotsOnly, releasedName, removeSnapshot } from './undo.ts';

/** Renames the guest's volumes: nothing that looks for them by name finds them, and no data is touched. */
export async function retireVolumes(env: StepEnv, ref: GuestRef): Promise<void> {
  const { volumeGroup: vg } = env.settings;
  await mustBeOff(env, ref);
  // Said now, and not when the grace period is over and the volumes must go.
  mustHaveOwnSnapshotsOnly(env, ref, await listVolumes(env.host, vg));
  await removeSnapshot(env, ref);
  const volumes = await listVolumes(env.host, vg);
  for (const name of disksOf(ref)) {
    if (ownedBy(ref, volumes).some((volume) => volume.name === name)) await renameVolume(env.host, vg, name, releasedName(name, volumes));
    else if (!ownedBy(ref, volumes).some((volume) => hasReleasedName(volume, name))) throw noVolume(env, ref, name);
  }
}

/** Undo of `retireVolumes`. A volume whose wipe has begun never comes back: what was on it is gone. */
export async function reviveVolumes(env: StepEnv, ref: GuestRef): Promise<void> {
  const { volumeGroup: vg } = env.settings;
  const own = ownedBy(ref, await listVolumes(env.host, vg));
  // All of it is looked at before any of it is changed.
  const found = disksOf(ref).map((name) => [name, volumeToRevive(env, ref, name, own)] as const);
  for (const [name, volume] of found) {
    // An lvrename that was killed in the middle leaves the device suspended.
    await activateVolume(env.host, vg, volume);
    if (volume.name !== name) await renameVolume(env.host, vg, volume.name, name);
  }
}

function disksOf({ name }: GuestRef): string[] {
  const { root, swap } = guestVolumes(name);
  return [root, swap];
}

function ownedBy(ref: GuestRef, volumes: readonly Volume[]): Volume[] {
  return volumes.filter((volume) => isOwner(volumeOwner(volume), ref));
}

function volumeToRevive(env: StepEnv, ref: GuestRef, name: string, own: readonly Volume[]): Volume {
  const back = own.find((volume) => volume.name === name);
  const meant = back === undefined ? own.filter((volume) => hasReleasedName(volume, name)) : [back];
  const [volume, ...more] = meant;
  if (volume === undefined) throw noVolume(env, ref, name);
  const all = meant.map((each) => `${env.settings.volumeGroup}/${each.name}`).join(', ');
  if (meant.some(isWipeBegun))
    throw new GuestflowError('NotFound', `${ref.name} cannot be taken back: the wipe of ${all} has begun; nothing was renamed`);
  if (more.length === 0) return volume;
  throw new GuestflowError(
    'ToolFailed',
    `${ref.name} has several volumes that were ${name}: ${all}; remove the wrong ones, then try again`,
    {},
    false,
  );
}

function noVolume(env: StepEnv, ref: GuestRef, name: string): GuestflowError {
  return new GuestflowError(
    'NotFound',
    `${ref.name} has no volume ${env.settings.volumeGroup}/${name}, released or not: nothing was renamed`,
  );
}
