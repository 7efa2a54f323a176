/** Makes a guest's volume and fills it, whatever an earlier attempt has left of it. */
import { GuestflowError } from '../../../../contract/errors.ts';
import { formatSize } from '../../../../contract/sizes.ts';
import { mustOwn, type Ref } from '../../marks.ts';
import type { NewDisk } from '../port.ts';
import { activateVolume, closedVolumes, createVolume, devicePath, tagVolume } from './lvm.ts';
import { zeroVolume } from './wipe.ts';
import { volumeGroup } from './reports.ts';
import { volumeName, volumesIn, whereOf, type Pool } from './pool.ts';
import { UNFINISHED_TAG, volumeOwner, volumeTags } from './tags.ts';

/**
 * Makes one volume. It carries the mark "unfinished" from its creation until its content is whole; that mark goes in one `lvchange`.
 * What a killed attempt left unfinished is zeroed and filled again.
 */
export async function makeVolume(pool: Pool, ref: Ref, disk: NewDisk): Promise<void> {
  const { host, vg, signal } = pool;
  const name = volumeName(ref.name, disk.role);
  const there = (await volumesIn(pool)).find((volume) => volume.name === name);
  if (there !== undefined) mustOwn(volumeOwner(there), ref, whereOf(vg, name));
  if (there !== undefined && !there.tags.includes(UNFINISHED_TAG)) return;
  if (there === undefined) {
    await mustHaveRoom(pool, disk);
    const tags = [...volumeTags({ guest: ref.name, order: ref.order }), UNFINISHED_TAG];
    await createVolume(host, { vg, name, bytes: disk.bytes, tags });
  } else {
    // A killed lvcreate may have left the volume without a device. If somebody has the volume open, it is not wiped.
    for (const volume of await closedVolumes(host, vg, (each) => each.name === name)) await activateVolume(host, vg, volume);
  }
  const device = devicePath(vg, name);
  // The extents may have had another user, whom guestflow did not wipe: the guest must read zeros (promise 6).
  pool.progress(`wiping ${device} (${formatSize(disk.bytes)})`);
  await zeroVolume(host, device, {
    bytes: disk.bytes,
    signal,
    onProgress: (bytes) => {
      pool.progress(`wiping ${device}: ${formatSize(bytes)} of ${formatSize(disk.bytes)}`, bytes / disk.bytes);
    },
  });
  await disk.fill(device);
  await tagVolume(host, vg, name, { add: [], remove: [UNFINISHED_TAG] });
}

async function mustHaveRoom({ host, vg, settings }: Pool, disk: NewDisk): Promise<void> {
  const group = await volumeGroup(host, vg);
  if (group === undefined)
    throw new GuestflowError('HostNotReady', `volume group ${vg} does not exist on ${settings.host}`, {
      field: 'volumeGroup',
      mend: `vgcreate ${vg} DEVICE`,
    });
  const short = disk.bytes - group.freeBytes;
  if (short > 0) {
    throw new GuestflowError(
      'NoCapacity',
      `volume group ${group.name} on ${settings.host} has ${formatSize(group.freeBytes)} free, ${formatSize(short)} too little for the ${disk.field} of ${formatSize(disk.bytes)}`,
      { field: disk.field },
    );
  }
}
