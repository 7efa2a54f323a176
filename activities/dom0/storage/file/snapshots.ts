/**
 * Snapshots of disks that are files. Where the file system shares blocks between files (XFS, btrfs), one is made in a moment while the guest goes on. Else
 * it is a copy, and the guest stands still for as long as that takes.
 */
import { GuestflowError } from '../../../../contract/errors.ts';
import { formatSize, MiB } from '../../../../contract/sizes.ts';
import { isOwner, mustOwn, type Ref } from '../../marks.ts';
import { makeMarkedDirectory } from '../../staging.ts';
import { cloneFile, copyFile } from '../../tools/disk-file.ts';
import type { Snapshot } from '../port.ts';
import { directoryOf, diskName, disksIn, fileOf, mustOwnDisk, named, type FileDisk, type Place } from './place.ts';
import { readMark, writeMark } from './record.ts';
import { removeDisk, removeLeft } from './release.ts';
import { mustHaveRoom } from './room.ts';

/** What a guest may write while a snapshot is read that shares its blocks: this part of the disk, and at least so much. */
const SMALLEST_PART = 0.05;
const SMALLEST_BYTES = 64 * MiB;

/** Takes a snapshot of the guest's root disk. If an earlier attempt has left one, that is removed first, and whom it has stopped goes on. */
export async function takeSnapshot(place: Place, ref: Ref): Promise<Snapshot> {
  const { host } = place;
  const name = diskName(ref.name, 'backup');
  const before = await disksIn(place);
  mustOwnDisk(place, ref, 'root', before);
  const left = named(name, before);
  if (left !== undefined) mustOwn(left.owner, ref, left.where);
  await dropSnapshot(place, ref);
  const root = mustOwnDisk(place, ref, 'root', await disksIn(place));
  await mustHaveRoom(place, {
    bytes: Math.max(SMALLEST_BYTES, root.bytes * SMALLEST_PART),
    what: `what ${ref.name} writes while its disk is read`,
    field: 'diskDir',
    mayPass: true,
    reserveBytes: 0,
  });
  await makeMarkedDirectory(host.files, directoryOf(place, name), ref);
  const device = fileOf(place, name);
  const isShared = await cloneFile(host, root.device, device, place.signal);
  const still = isShared ? {} : await copyStill(place, ref, root);
  await writeMark(host.files, directoryOf(place, name), ref, { isWhole: true });
  return { name, device, ...still };
}

/** Copies the disk while nobody writes to it. Whom it stops is noted before: if this is killed, the next attempt or the undo has them go on. */
async function copyStill(place: Place, ref: Ref, root: FileDisk): Promise<Pick<Snapshot, 'stoodStillMs'>> {
  const { host, user, signal } = place;
  const directory = directoryOf(place, diskName(ref.name, 'backup'));
  const to = fileOf(place, diskName(ref.name, 'backup'));
  // What cp has left of the try to share blocks.
  await host.files.remove(to);
  await mustHaveRoom(place, {
    bytes: root.bytes,
    what: `a copy of the disk of ${ref.name}`,
    field: 'diskDir',
    mayPass: true,
    reserveBytes: 0,
  });
  const found = await user.find(ref);
  if (found === undefined && root.open)
    throw new GuestflowError('ToolFailed', `${root.where} is open, and not by ${ref.name}: it is copied when that has ended`);
  const isMoving = found?.isStill === false;
  place.progress(`copying ${root.device} (${formatSize(root.bytes)})${isMoving ? `; ${ref.name} stands still meanwhile` : ''}`);
  if (!isMoving) {
    await copyFile(host, root.device, to, signal);
    return {};
  }
  const { who } = found;
  await writeMark(host.files, directory, ref, { stopped: who });
  const since = performance.now();
  try {
    await user.stop(ref, who);
    await copyFile(host, root.device, to, signal);
  } finally {
    await user.goOn(ref, who);
  }
  return { stoodStillMs: Math.round(performance.now() - since) };
}

/** @throws BackupUnusable if the snapshot is gone */
export async function mustBeSound(place: Place, { name }: Snapshot): Promise<void> {
  if (named(name, await disksIn(place))?.state === 'whole') return;
  throw new GuestflowError('BackupUnusable', `snapshot ${directoryOf(place, name)} went while it was read`);
}

/** Removes the guest's snapshot, and has whom it has stopped go on. One without the guest's mark stays. */
export async function dropSnapshot(place: Place, ref: Ref): Promise<void> {
  const name = diskName(ref.name, 'backup');
  const mark = await readMark(place.host.files, directoryOf(place, name));
  if (mark === undefined || !isOwner(mark.owner, ref)) {
    await removeLeft(place, [name]);
    return;
  }
  if (mark.stopped !== undefined) await place.user.goOn(ref, mark.stopped);
  await removeDisk(place, ref, name);
}
