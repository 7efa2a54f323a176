/** Sets a guest's volumes aside, by another name, and brings them back. */
import { GuestflowError } from '../../../../contract/errors.ts';
import type { Ref } from '../../marks.ts';
import type { DiskRole } from '../port.ts';
import { activateVolume, renameVolume } from './lvm.ts';
import type { Volume } from './reports.ts';
import { ownedBy, volumeName, volumesIn, whereOf, type Pool } from './pool.ts';
import { hasReleasedName, releasedName } from '../released.ts';
import { tagsWith, WIPED_TAG } from './tags.ts';

/** Renames the guest's volumes, so that nothing finds them by their names. Their data stays. */
export async function setAsideVolumes(pool: Pool, ref: Ref, roles: readonly DiskRole[]): Promise<void> {
  const { host, vg } = pool;
  const volumes = await volumesIn(pool);
  const own = ownedBy(ref, volumes);
  for (const name of roles.map((role) => volumeName(ref.name, role))) {
    if (own.some((volume) => volume.name === name)) await renameVolume(host, vg, name, releasedName(name, volumes));
    else if (!own.some((volume) => hasReleasedName(volume, name))) throw noVolume(vg, ref, name);
  }
}

/** Undo of `setAsideVolumes`. A volume whose wipe has begun cannot be brought back: its data is gone. */
export async function bringBackVolumes(pool: Pool, ref: Ref, roles: readonly DiskRole[]): Promise<void> {
  const { host, vg } = pool;
  const own = ownedBy(ref, await volumesIn(pool));
  // All volumes are looked at before any is changed.
  const names = roles.map((role) => volumeName(ref.name, role));
  const found = names.map((name) => [name, volumeToBringBack(vg, ref, name, own)] as const);
  for (const [name, volume] of found) {
    // An lvrename that was killed leaves the device suspended.
    await activateVolume(host, vg, volume);
    if (volume.name !== name) await renameVolume(host, vg, volume.name, name);
  }
}

function volumeToBringBack(vg: string, ref: Ref, name: string, own: readonly Volume[]): Volume {
  const back = own.find((volume) => volume.name === name);
  const meant = back === undefined ? own.filter((volume) => hasReleasedName(volume, name)) : [back];
  const [volume, ...more] = meant;
  if (volume === undefined) throw noVolume(vg, ref, name);
  const all = meant.map((each) => `${vg}/${each.name}`).join(', ');
  if (meant.some((each) => tagsWith(each, WIPED_TAG).length > 0))
    throw new GuestflowError('NotFound', `${ref.name} cannot be taken back: the wipe of ${all} has begun; nothing was renamed`);
  if (more.length === 0) return volume;
  throw new GuestflowError(
    'ToolFailed',
    `${ref.name} has several volumes that were ${name}: ${all}; remove the wrong ones, then try again`,
    {},
    false,
  );
}

function noVolume(vg: string, ref: Ref, name: string): GuestflowError {
  return new GuestflowError('NotFound', `${ref.name} has no ${whereOf(vg, name)}, released or not: nothing was renamed`);
}
