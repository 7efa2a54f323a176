/** Makes a volume larger, and smaller again. The guest never sees a byte of a former tenant. */
import type { Disk } from '../port.ts';
import { extendVolume, reduceVolume, tagVolume } from './lvm.ts';
import { discardFrom, zeroVolume } from './wipe.ts';
import { volumeGroup } from './reports.ts';
import { mustHaveRoom } from './room.ts';
import { thinPoolOfDisk, type Pool } from './pool.ts';
import { GROWN_TAG } from './tags.ts';

/** The size that LVM gives a volume of so many bytes: it rounds up to whole extents, which may be larger than the unit of orders. */
export async function inExtents({ host, vg }: Pool, bytes: number): Promise<number> {
  const extent = (await volumeGroup(host, vg))?.extentBytes ?? 1;
  return Math.ceil(bytes / extent) * extent;
}

function markOf(disk: Disk): string[] {
  return disk.grownFrom === undefined ? [] : [`${GROWN_TAG}${disk.grownFrom}`];
}

/** Extends a volume. Before that, a tag notes where the new part begins. */
export async function growVolume(pool: Pool, disk: Disk, bytes: number): Promise<void> {
  const { host, vg } = pool;
  await mustHaveRoom(pool, { bytes: bytes - disk.bytes, what: 'the larger disk', field: 'disk', thinPool: thinPoolOfDisk(vg, disk) });
  if (disk.grownFrom === undefined) await tagVolume(host, vg, disk.name, { add: [`${GROWN_TAG}${disk.bytes}`] });
  await extendVolume(host, vg, disk.name, bytes);
}

/**
 * Wipes the volume from `from` to its end, `bytes`. What a thin pool has given it since it grew reads as zeros as it is.
 */
export async function wipeGrown(pool: Pool, disk: Disk, from: number, bytes: number): Promise<void> {
  const { host, vg, signal } = pool;
  if (bytes > from && thinPoolOfDisk(vg, disk) === undefined) {
    pool.progress(`wiping the new part of ${disk.device}`);
    await zeroVolume(host, disk.device, { bytes, offset: from, signal });
  }
  await settleVolume(pool, disk);
}

/**
 * Wipes what is behind `bytes`, then reduces the volume to `bytes`. A thin pool gets its blocks back before that: a reduced volume keeps them, unseen, and
 * would show them again when it grows.
 */
export async function shrinkVolume({ host, vg, signal }: Pool, disk: Disk, bytes: number): Promise<void> {
  if (thinPoolOfDisk(vg, disk) === undefined) await zeroVolume(host, disk.device, { bytes: disk.bytes, offset: bytes, signal });
  else await discardFrom(host, disk.device, bytes, signal);
  await reduceVolume(host, vg, disk.name, bytes);
}

/** Removes the tags that say that a part of the volume is not wiped. */
export async function settleVolume({ host, vg }: Pool, disk: Disk): Promise<void> {
  await tagVolume(host, vg, disk.name, { remove: markOf(disk) });
}
