/** Makes a guest's disk and fills it, whatever an earlier attempt has left of it; makes it larger, and smaller again. */
import { formatSize } from '../../../../contract/sizes.ts';
import { mustOwn, type Ref } from '../../marks.ts';
import { makeMarkedDirectory } from '../../staging.ts';
import { allocate, cut, flushFile } from '../../tools/disk-file.ts';
import { loopDevicesOf, refreshLoop } from '../../tools/loop.ts';
import type { Disk, NewDisk } from '../port.ts';
import { closedDisks, directoryOf, diskName, disksIn, fileOf, inWholeMiB, mustOwnDisk, named, refOf, type Place } from './place.ts';
import { readMark, writeMark, type DiskMark, type DiskState } from './record.ts';
import { releaseDisks } from './release.ts';
import { mustHaveRoom } from './room.ts';

/** Makes one disk. Its mark says that it is whole only when its content is on the disk. What a killed attempt left unfinished is made again. */
export async function makeDisk(place: Place, ref: Ref, { role, bytes: asked, field, fill }: NewDisk): Promise<void> {
  const { host, signal } = place;
  const name = diskName(ref.name, role);
  const there = named(name, await disksIn(place));
  if (there !== undefined) mustOwn(there.owner, ref, there.where);
  if (there?.state === 'whole') return;
  const file = fileOf(place, name);
  if (there !== undefined) {
    await closedDisks(place, (disk) => disk.name === name);
    // Somebody may have removed the file of a whole disk: its mark must not speak for the next one before that is filled.
    await writeMark(host.files, directoryOf(place, name), ref, {});
    await host.files.remove(file);
  }
  const bytes = inWholeMiB(asked);
  await mustHaveRoom(place, { bytes, what: `the ${field} of ${formatSize(bytes)}`, field });
  await makeMarkedDirectory(host.files, directoryOf(place, name), ref);
  await host.files.writeAtomic(file, '', 0o600);
  await allocate(host, file, bytes, signal);
  await fill(file, false);
  await flushFile(host, file, signal);
  await writeMark(host.files, directoryOf(place, name), ref, { isWhole: true });
}

/** Changes what the mark of a disk says, and nothing else of it. */
export async function remark({ host: { files } }: Place, directory: string, change: (mark: DiskMark) => DiskState): Promise<void> {
  const mark = await readMark(files, directory);
  if (mark === undefined) return;
  const { owner, ...state } = mark;
  const next = change({ owner, ...state });
  if (JSON.stringify(next) !== JSON.stringify(state)) await writeMark(files, directory, refOf(owner), next);
}

/** Makes a disk larger. Before that, its mark notes where the new part begins: whoever finds it there knows that its file system was not grown yet. */
export async function growDiskFile(place: Place, { name, bytes: has, device, grownFrom }: Disk, bytes: number): Promise<void> {
  await mustHaveRoom(place, { bytes: bytes - has, what: 'the larger disk', field: 'disk' });
  const from = grownFrom ?? has;
  await remark(place, directoryOf(place, name), ({ owner: _same, ...state }) => ({ ...state, grownFrom: from }));
  await allocate(place.host, device, bytes, place.signal);
}

/** Takes the note off. What a file system gives a file reads as zeros: nothing must be wiped. */
export async function settleDiskFile(place: Place, { name }: Pick<Disk, 'name'>): Promise<void> {
  await remark(place, directoryOf(place, name), ({ owner: _same, grownFrom: _none, ...state }) => state);
}

/** Gives what is behind `bytes` back to the file system. If the file grows again, that part reads as zeros. */
export async function shrinkDiskFile({ host }: Place, { device }: Disk, bytes: number): Promise<void> {
  await cut(host, device, bytes);
}

/** Makes the guest's root disk larger while it is in use. The loop device that the guest has it by must be told. */
export async function growFileInUse(place: Place, ref: Ref, bytes: number): Promise<void> {
  const root = mustOwnDisk(place, ref, 'root', await disksIn(place));
  await releaseDisks(place, ref, 'growth');
  if (bytes > root.bytes) {
    await mustHaveRoom(place, { bytes: bytes - root.bytes, what: 'the larger disk', field: 'disk' });
    await allocate(place.host, root.device, bytes, place.signal);
  }
  for (const device of await loopDevicesOf(place.host, root.device)) await refreshLoop(place.host, device);
}
