/** How much of the file system of the directory may still be given to disks. */
import type { PoolFacts } from '../../../../contract/capacity.ts';
import { GuestflowError } from '../../../../contract/errors.ts';
import { formatSize } from '../../../../contract/sizes.ts';
import { disksIn, isCopy, type FileDisk, type Place } from './place.ts';

/**
 * A disk takes all of its room when it is made; but a guest that discards blocks makes holes in its file, which it may fill again. So they are not free. What
 * else lies on the file system is none of the pool: its size is what is free and what the disks have.
 */
export async function roomOf(place: Place, disks?: readonly FileDisk[]): Promise<PoolFacts> {
  const all = disks ?? (await disksIn(place));
  const taken = all.reduce((sum, { bytes }) => sum + bytes, 0);
  const holes = all.reduce(
    (sum, disk) => sum + (disk.owner === undefined || isCopy(disk) ? 0 : Math.max(0, disk.bytes - disk.allocatedBytes)),
    0,
  );
  const freeBytes = Math.max(0, (await place.host.files.freeBytes(place.directory)) - holes);
  return { name: place.directory, sizeBytes: freeBytes + taken, freeBytes };
}

/** What takes room. */
export interface Wish {
  readonly bytes: number;
  /** For errors: `the disk of 8 GiB`. */
  readonly what: string;
  /** Field of the order that it comes from: for errors. */
  readonly field: string;
  /** What must be free beside it. Default: the dom0's reserve, which is there for snapshots. */
  readonly reserveBytes?: number;
  /** Whether it may go well later. Default: no. */
  readonly mayPass?: boolean;
}

/** @throws NoCapacity when too few bytes are free */
export async function mustHaveRoom(place: Place, { bytes, what, field, reserveBytes, mayPass = false }: Wish): Promise<void> {
  const { directory, settings } = place;
  const { freeBytes } = await roomOf(place);
  const kept = reserveBytes ?? settings.policy.reserve.diskBytes;
  const short = bytes + kept - freeBytes;
  if (short <= 0) return;
  const keeps = kept === 0 ? '' : ` and keeps ${formatSize(kept)} of that`;
  throw new GuestflowError(
    'NoCapacity',
    `directory ${directory} on ${settings.host} has ${formatSize(freeBytes)} free${keeps}, ${formatSize(short)} too little for ${what}`,
    { field },
    mayPass,
  );
}
