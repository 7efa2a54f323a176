/** The image files of a guest: whether they are there, and how they go. */
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

/** Removes the image of a guest that does not use it. */
export async function discardImage(work: Work, ref: Ref): Promise<void> {
  const { host } = work;
  const paths = guestPaths(work.settings, ref.name);
  // Ours by its place, in a directory that only guestflow makes: the mark comes into it last.
  await clearHalfMade(host, paths.unfinishedImages);
  await host.files.removeTree(paths.unfinishedImages);
  if (!(await hasImage(work, ref))) return;
  for (const image of [paths.diskImage, paths.swapImage]) {
    for (const device of await loopDevicesOf(host, image)) await detachLoop(host, device);
  }
  // By another name first, under which a removal that was cut short is found again.
  await host.files.makeDirectory(dirname(paths.unfinishedImages));
  await host.files.rename(paths.images, paths.unfinishedImages);
  await host.files.removeTree(paths.unfinishedImages);
}

/** Size of the guest's disk image; undefined: there is none. */
export async function diskImageBytes({ host, settings }: Work, guest: string): Promise<number | undefined> {
  return (await host.files.info(guestPaths(settings, guest).diskImage))?.bytes;
}
