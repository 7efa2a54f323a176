/** Puts a spare volume in the place of the guest's root volume, by two renames. Each state that a kill can leave in between is gone on from. */
import { mustOwn, type Ref } from '../../marks.ts';
import type { SpareRole } from '../../../../contract/guest.ts';
import { activateVolume, closedVolumes, renameVolume } from './lvm.ts';
import { mustOwnVolume, volumeName, volumesIn, whereOf, type Pool } from './pool.ts';
import { releasedName } from '../released.ts';
import { dropSnapshot } from './snapshots.ts';
import { volumeOwner } from './tags.ts';

const OTHER: Readonly<Record<SpareRole, SpareRole>> = { restored: 'former', former: 'restored' };

export async function exchangeVolumes(pool: Pool, ref: Ref, spare: SpareRole): Promise<void> {
  const { host, vg } = pool;
  const nameOf = (role: SpareRole | 'root'): string => volumeName(ref.name, role);
  const [root, coming, going] = [nameOf('root'), nameOf(spare), nameOf(OTHER[spare])];
  const volumes = await volumesIn(pool);
  const isThere = (name: string): boolean => volumes.some((volume) => volume.name === name);
  if (!isThere(coming)) {
    // A killed lvrename leaves the device suspended.
    await activateVolume(host, vg, mustOwnVolume(vg, ref, 'root', volumes));
    return;
  }
  for (const volume of volumes.filter(({ name }) => name === root || name === coming))
    mustOwn(volumeOwner(volume), ref, whereOf(vg, volume.name));
  await dropSnapshot(pool, ref);
  for (const volume of await closedVolumes(host, vg, ({ name }) => [root, coming, going].includes(name)))
    await activateVolume(host, vg, volume);
  // A restore that could not be undone has left the root volume, which is a restored one, beside the former one.
  if (isThere(root)) await renameVolume(host, vg, root, isThere(going) ? releasedName(nameOf('restored'), volumes) : going);
  await renameVolume(host, vg, coming, root);
}
