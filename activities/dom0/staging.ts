/**
 * Things that are half made or half removed, so that a kill at any instruction leaves nothing that cannot be told apart: directories get
 * their mark before they get their name, and lose their name before they lose their mark; parts of files are found again.
 */
import { basename, dirname } from 'node:path';
import { PART_SUFFIX, type HostFiles } from '../../system/host.ts';
import { isOwner, MARKER_FILE, markerOwner, markerText, mustOwn, type Ref } from './marks.ts';

/** Where the directories of a directory are while they are made, and while they are removed: no name of a guest begins with a dot. */
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
export async function makeMarkedDirectory(files: HostFiles, directory: string, ref: Ref): Promise<void> {
  if ((await files.info(directory)) !== undefined) {
    mustOwn(markerOwner(await files.read(`${directory}/${MARKER_FILE}`)), ref, directory);
    return;
  }
  const staging = await emptyStaging(files, directory);
  await files.makeDirectory(staging, 0o700);
  await files.writeAtomic(`${staging}/${MARKER_FILE}`, markerText({ guest: ref.name, order: ref.order }));
  await files.rename(staging, directory);
}

/** Removes a directory if it carries this guest's mark, and what an earlier removal or making left of it. */
export async function removeMarkedDirectory(files: HostFiles, directory: string, ref: Ref): Promise<void> {
  if ((await files.info(stagingOf(directory))) !== undefined) await emptyStaging(files, directory);
  if (!isOwner(markerOwner(await files.read(`${directory}/${MARKER_FILE}`)), ref)) return;
  const staging = stagingOf(directory);
  await files.makeDirectory(dirname(staging), 0o700);
  await files.rename(directory, staging);
  await files.removeTree(staging);
}

/** Name of the file that one of this name is an unfinished part of; undefined when it is none. */
export function wholeOf(name: string): string | undefined {
  return name.endsWith(PART_SUFFIX) ? /^(.+)\.[0-9a-f]{8}$/.exec(name.slice(0, -PART_SUFFIX.length))?.[1] : undefined;
}

/** What killed attempts to write this file have left beside it. */
export async function partsOf(files: HostFiles, path: string): Promise<string[]> {
  return (await files.list(dirname(path))).filter((name) => wholeOf(name) === basename(path)).map((name) => `${dirname(path)}/${name}`);
}

export async function removeParts(files: HostFiles, path: string): Promise<void> {
  for (const part of await partsOf(files, path)) await files.remove(part);
}
