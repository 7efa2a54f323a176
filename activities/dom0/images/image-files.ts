/** The image files of a guest: whether they exist, and how they are removed. */
import { dirname } from 'node:path';
import { guestPaths } from '../guest-paths.ts';
import { isOwner, MARKER_FILE, markerOwner, type Ref } from '../marks.ts';
import { detachLoop, loopDevicesOf } from '../tools/loop.ts';
import type { Work } from '../work.ts';
import { clearHalfMade } from './xen-tools.ts';

/** Whether the image is there, and carries the guest's mark. */
export async function hasImage(work: Work, ref: Ref): Promise<boolean> {
  const { images } = guestPaths(work.settings, ref.name);
  return isOwner(markerOwner(await work.host.files.read(`${images}/${MARKER_FILE}`)), ref);
}

/** Removes the image of a guest. The guest must not use it. */
export async function discardImage(work: Work, ref: Ref): Promise<void> {
  const { host } = work;
  const paths = guestPaths(work.settings, ref.name);
  // An unfinished image has no mark yet, which is written last. Its place tells that it is ours: only guestflow makes this directory.
  await clearHalfMade(host, paths.unfinishedImages);
  await host.files.removeTree(paths.unfinishedImages);
  if (!(await hasImage(work, ref))) return;
  for (const image of [paths.diskImage, paths.swapImage]) {
    for (const device of await loopDevicesOf(host, image)) await detachLoop(host, device);
  }
  // Renamed first: if the removal is killed, the next attempt finds the image by that name.
  await host.files.makeDirectory(dirname(paths.unfinishedImages));
  await host.files.rename(paths.images, paths.unfinishedImages);
  await host.files.removeTree(paths.unfinishedImages);
}

/** Size of the guest's disk image; undefined if there is none. */
export async function diskImageBytes({ host, settings }: Work, guest: string): Promise<number | undefined> {
  return (await host.files.info(guestPaths(settings, guest).diskImage))?.bytes;
}
