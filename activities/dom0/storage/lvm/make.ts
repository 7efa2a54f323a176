/** Makes a guest's volume and fills it, whatever an earlier attempt has left of it. */
import { formatSize } from '../../../../contract/sizes.ts';
import { mustOwn, type Ref } from '../../marks.ts';
import type { NewDisk } from '../port.ts';
import {
  activateVolume,
  closedVolumes,
  createThinSnapshot,
  createThinVolume,
  createVolume,
  devicePath,
  extendVolume,
  removeVolume,
  tagVolume,
} from './lvm.ts';
import type { Volume } from './reports.ts';
import { mustHaveRoom } from './room.ts';
import { zeroVolume } from './wipe.ts';
import { volumeName, volumesIn, whereOf, type Pool } from './pool.ts';
import { templateAmong } from './templates.ts';
import { UNFINISHED_TAG, volumeOwner, volumeTags } from './tags.ts';

/**
 * Makes one volume. It carries the mark "unfinished" from its creation until its content is whole; that mark goes in one `lvchange`.
 * What a killed attempt left unfinished is emptied and filled again.
 */
export async function makeVolume(pool: Pool, ref: Ref, disk: NewDisk): Promise<void> {
  const { host, vg } = pool;
  const name = volumeName(ref.name, disk.role);
  const volumes = await volumesIn(pool);
  const there = volumes.find((volume) => volume.name === name);
  if (there !== undefined) mustOwn(volumeOwner(there), ref, whereOf(vg, name));
  if (there !== undefined && !there.tags.includes(UNFINISHED_TAG)) return;
  if (there !== undefined) await emptyOrRemove(pool, there, disk.bytes);
  const isClone = (there === undefined || there.thinPool !== undefined) && (await makeNew(pool, ref, disk, volumes));
  await disk.fill(devicePath(vg, name), isClone);
  await tagVolume(host, vg, name, { add: [], remove: [UNFINISHED_TAG] });
}

/** Makes the volume. It reads as zeros then, unless it is a clone: whether it is comes back. */
async function makeNew(
  pool: Pool,
  ref: Ref,
  { role, bytes, field, template: keyOf }: NewDisk,
  volumes: readonly Volume[],
): Promise<boolean> {
  const { host, vg, thinPool, settings } = pool;
  const what = `the ${field} of ${formatSize(bytes)}`;
  await mustHaveRoom(pool, { bytes, what, field, thinPool, reserveBytes: thinPool === undefined ? 0 : settings.policy.reserve.diskBytes });
  const tags = [...volumeTags({ guest: ref.name, order: ref.order }), UNFINISHED_TAG];
  const volume = { vg, name: volumeName(ref.name, role), bytes, tags };
  if (thinPool === undefined) {
    await createVolume(host, volume);
    await wipeAll(pool, volume.name, bytes);
    return false;
  }
  const template = templateAmong(volumes, await keyOf?.());
  if (template === undefined) await createThinVolume(host, volume, thinPool);
  else {
    await createThinSnapshot(host, { ...volume, origin: template.name });
    if (bytes > template.bytes) await extendVolume(host, vg, volume.name, bytes);
  }
  return template !== undefined;
}

/** A volume that an attempt has left. One of a thin pool is removed, which is faster than to wipe it. If somebody has it open, it stays. */
async function emptyOrRemove(pool: Pool, { name, thinPool }: Volume, bytes: number): Promise<void> {
  const { host, vg } = pool;
  // A killed lvcreate may have left the volume without a device.
  for (const volume of await closedVolumes(host, vg, (each) => each.name === name)) await activateVolume(host, vg, volume);
  if (thinPool === undefined) await wipeAll(pool, name, bytes);
  else await removeVolume(host, vg, name);
}

/** The extents may have had another user, whom guestflow did not wipe: the guest must read zeros (promise 6). */
async function wipeAll(pool: Pool, name: string, bytes: number): Promise<void> {
  const { host, vg, signal } = pool;
  const device = devicePath(vg, name);
  pool.progress(`wiping ${device} (${formatSize(bytes)})`);
  await zeroVolume(host, device, {
    bytes,
    signal,
    onProgress: (done) => {
      pool.progress(`wiping ${device}: ${formatSize(done)} of ${formatSize(bytes)}`, done / bytes);
    },
  });
}
