/**
 * Snapshots of guests' volumes. One outside of a thin pool stores the blocks that its origin overwrites, and is worthless once it is full.
 */
import { GuestflowError } from '../../../../contract/errors.ts';
import { MiB } from '../../../../contract/sizes.ts';
import { isOwner, mustOwn, type Ref } from '../../marks.ts';
import type { Snapshot } from '../port.ts';
import { activateVolume, createSnapshot, createThinSnapshot, devicePath, removeVolume } from './lvm.ts';
import type { Volume } from './reports.ts';
import { mustHaveRoom } from './room.ts';
import { thinPoolOf } from './thin-pool.ts';
import { mustOwnVolume, ownedBy, volumeName, volumesIn, whereOf, type Pool } from './pool.ts';
import { volumeOwner, volumeTags } from './tags.ts';

/** A snapshot must have room for what the guest writes while it is read. It is as large as its origin if the group allows that, and never smaller than this part. */
const SMALLEST_PART = 0.05;

/**
 * Looks whether there is room for what the guest writes while the snapshot is read.
 *
 * @returns how large the snapshot is made, if it is not one of a thin pool
 * @throws NoCapacity, which may pass
 */
async function bytesFor(pool: Pool, origin: Volume): Promise<number> {
  const least = Math.max(64 * MiB, origin.bytes * SMALLEST_PART);
  const free = await mustHaveRoom(pool, {
    bytes: least,
    what: `a snapshot of ${origin.name}`,
    field: 'volumeGroup',
    thinPool: origin.thinPool,
    mayPass: true,
  });
  // LVM adds nothing to a snapshot that is larger than its origin plus its tables (about 1 %).
  return Math.floor(Math.min(free, origin.bytes * 1.01) / MiB) * MiB;
}

/** Takes a snapshot of the guest's root volume. If an earlier attempt has left one, that is removed first. */
export async function takeSnapshot(pool: Pool, ref: Ref): Promise<Snapshot> {
  const { host, vg } = pool;
  const volumes = await volumesIn(pool);
  const name = volumeName(ref.name, 'backup');
  const origin = mustOwnVolume(vg, ref, 'root', volumes);
  const left = volumes.find((volume) => volume.name === name);
  if (left !== undefined) mustOwn(volumeOwner(left), ref, whereOf(vg, name));
  await dropAmong(pool, ref, volumes);
  const tags = volumeTags({ guest: ref.name, order: ref.order });
  const bytes = await bytesFor(pool, origin);
  if (origin.thinPool === undefined) await createSnapshot(host, { vg, origin: origin.name, name, bytes, tags });
  else await createThinSnapshot(host, { vg, origin: origin.name, name, tags });
  return { name, device: devicePath(vg, name) };
}

/** @throws BackupUnusable if the snapshot is gone or has overflowed, or its thin pool is not well */
export async function mustBeSound(pool: Pool, { name }: Snapshot): Promise<void> {
  const snapshot = (await volumesIn(pool)).find((volume) => volume.name === name);
  if (snapshot === undefined) throw new GuestflowError('BackupUnusable', `snapshot ${name} went while it was dumped`);
  if (snapshot.thinPool !== undefined) {
    const health = (await thinPoolOf(pool.host, pool.vg, snapshot.thinPool))?.health ?? 'gone';
    if (health === '') return;
    throw new GuestflowError('BackupUnusable', `thin pool ${pool.vg}/${snapshot.thinPool} was ${health} while snapshot ${name} was read`);
  }
  if (snapshot.invalid || (snapshot.dataPercent ?? 0) >= 100) {
    throw new GuestflowError(
      'BackupUnusable',
      `snapshot ${name} filled up while it was dumped (${snapshot.dataPercent ?? 100} %): what was read from it cannot be trusted`,
    );
  }
}

/** Removes the guest's snapshot. A volume of that name without the guest's mark stays. */
export async function dropSnapshot(pool: Pool, ref: Ref): Promise<void> {
  await dropAmong(pool, ref, await volumesIn(pool));
}

async function dropAmong({ host, vg }: Pool, ref: Ref, volumes: readonly Volume[]): Promise<void> {
  const name = volumeName(ref.name, 'backup');
  const own = ownedBy(ref, volumes);
  // If a tool was killed while it made or removed a snapshot, the origin is suspended, and the guest would wait for its disk for ever.
  for (const volume of own) if (volume.state === 'suspended' && volume.name !== name) await activateVolume(host, vg, volume);
  if (own.some((volume) => volume.name === name)) await removeVolume(host, vg, name);
}

/**
 * Throws if somebody else has made a snapshot of the guest's volume: a wipe would spoil it, and it would be removed with its origin. A snapshot in a thin pool
 * is neither: it outlives its origin.
 */
export function mustHaveOwnSnapshotsOnly(vg: string, ref: Ref, volumes: readonly Volume[]): void {
  const own = new Set(ownedBy(ref, volumes).map(({ name }) => name));
  const foreign = volumes.find(
    (volume) =>
      volume.origin !== undefined && volume.thinPool === undefined && own.has(volume.origin) && !isOwner(volumeOwner(volume), ref),
  );
  if (foreign === undefined) return;
  throw new GuestflowError(
    'NotOurs',
    `${vg}/${foreign.name} is a snapshot of ${vg}/${foreign.origin ?? ''} and not this order's: it would go with its origin. Copy what is needed of it, remove it (lvremove ${vg}/${foreign.name}), then try again.`,
    { field: 'name', value: ref.name },
  );
}
