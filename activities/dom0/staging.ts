/**
 * Staging of what is half made or half removed, so that after a kill at any instruction it can be told apart from what is whole. A directory gets its
 * mark before its name, and loses its name before its mark. Unfinished parts of files are found by their names.
 */
import { basename, dirname } from 'node:path';
import { PART_SUFFIX, type HostFiles } from '../../system/host.ts';
import { isOwner, MARKER_FILE, markerOwner, markerText, mustOwn, type Ref } from './marks.ts';

/** Where directories below this parent are while they are made or removed. It clashes with no guest: no guest's name begins with a dot. */
export function stagingIn(parent: string): string {
  return `${parent}/.guestflow`;
}

export function stagingOf(directory: string): string {
  return `${stagingIn(dirname(directory))}/${basename(directory)}`;
}

async function emptyStaging(files: HostFiles, directory: string): Promise<string> {
  const staging = stagingOf(directory);
  await files.removeTree(staging);
  return staging;
}

/**
 * Makes a directory with this guest's mark in it, or finds it made.
 *
 * @throws NotOurs when it is there without that mark.
 */
export async function makeMarkedDirectory(files: HostFiles, directory: string, ref: Ref, mode = 0o700): Promise<void> {
  if ((await files.info(directory)) !== undefined) {
    mustOwn(markerOwner(await files.read(`${directory}/${MARKER_FILE}`)), ref, directory);
    return;
  }
  const staging = await emptyStaging(files, directory);
  await files.makeDirectory(staging, mode);
  await files.writeAtomic(`${staging}/${MARKER_FILE}`, markerText({ guest: ref.name, order: ref.order }));
  await files.rename(staging, directory);
}

/** Removes a directory if it carries this guest's mark, and its staging directory. */
export async function removeMarkedDirectory(files: HostFiles, directory: string, ref: Ref): Promise<void> {
  if ((await files.info(stagingOf(directory))) !== undefined) await emptyStaging(files, directory);
  if (!isOwner(markerOwner(await files.read(`${directory}/${MARKER_FILE}`)), ref)) return;
  const staging = stagingOf(directory);
  await files.makeDirectory(dirname(staging), 0o700);
  await files.rename(directory, staging);
  await files.removeTree(staging);
}

/** If this is the name of an unfinished part, the name of its whole file; else undefined. */
export function wholeOf(name: string): string | undefined {
  return name.endsWith(PART_SUFFIX) ? /^(.+)\.[0-9a-f]{8}$/.exec(name.slice(0, -PART_SUFFIX.length))?.[1] : undefined;
}

/** Unfinished parts of a file, which killed attempts to write it have left beside it. */
export async function partsOf(files: HostFiles, path: string): Promise<string[]> {
  return (await files.list(dirname(path))).filter((name) => wholeOf(name) === basename(path)).map((name) => `${dirname(path)}/${name}`);
}

export async function removeParts(files: HostFiles, path: string): Promise<void> {
  for (const part of await partsOf(files, path)) await files.remove(part);
}
