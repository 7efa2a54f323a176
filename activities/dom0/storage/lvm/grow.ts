/** Makes a volume larger, and smaller again. The guest never sees a byte of a former tenant. */
import { GuestflowError } from '../../../../contract/errors.ts';
import { formatSize } from '../../../../contract/sizes.ts';
import type { Disk } from '../port.ts';
import { extendVolume, reduceVolume, tagVolume } from './lvm.ts';
import { zeroVolume } from './wipe.ts';
import { volumeGroup } from './reports.ts';
import type { Pool } from './pool.ts';
import { GROWN_TAG } from './tags.ts';

/** The size that LVM gives a volume of so many bytes: it rounds up to whole extents, which may be larger than the unit of orders. */
export async function inExtents({ host, vg }: Pool, bytes: number): Promise<number> {
  const extent = (await volumeGroup(host, vg))?.extentBytes ?? 1;
  return Math.ceil(bytes / extent) * extent;
}

async function mustHaveRoom({ host, vg }: Pool, more: number): Promise<void> {
  const free = (await volumeGroup(host, vg))?.freeBytes ?? 0;
  if (more > free)
    throw new GuestflowError(
      'NoCapacity',
      `volume group ${vg} has ${formatSize(free)} free, ${formatSize(more - free)} too little to grow the disk`,
      { field: 'disk' },
    );
}

function markOf(disk: Disk): string[] {
  return disk.grownFrom === undefined ? [] : [`${GROWN_TAG}${disk.grownFrom}`];
}

/** Extends a volume. Before that, a tag notes where the new part begins. */
export async function growVolume(pool: Pool, disk: Disk, bytes: number): Promise<void> {
  const { host, vg } = pool;
  await mustHaveRoom(pool, bytes - disk.bytes);
  if (disk.grownFrom === undefined) await tagVolume(host, vg, disk.name, { add: [`${GROWN_TAG}${disk.bytes}`] });
  await extendVolume(host, vg, disk.name, bytes);
}

/** Wipes what is behind `bytes`, then reduces the volume to `bytes`. */
export async function shrinkVolume({ host, vg, signal }: Pool, disk: Disk, bytes: number): Promise<void> {
  await zeroVolume(host, disk.device, { bytes: disk.bytes, offset: bytes, signal });
  await reduceVolume(host, vg, disk.name, bytes);
}

/** Removes the tags that say that a part of the volume is not wiped. */
export async function settleVolume({ host, vg }: Pool, disk: Disk): Promise<void> {
  await tagVolume(host, vg, disk.name, { remove: markOf(disk) });
}
