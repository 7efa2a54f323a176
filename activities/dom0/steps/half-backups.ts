/** What a backup that did not come to its end leaves in the directory of a guest's backups, and the undo of a backup. */
import type { GuestRef } from '../../../contract/types.ts';
import { guestPaths } from '../guest-paths.ts';
import { PART_SUFFIX } from '../../../system/host.ts';
import { isOwner, MARKER_FILE, markerOwner } from '../marks.ts';
import type { StepEnv } from '../step.ts';
import { removeSnapshot } from './undo.ts';

/** Removes dumps that have no record, and parts of files. The record makes a dump a backup. */
export async function discardHalfBackups(env: StepEnv, ref: GuestRef): Promise<void> {
  const { files } = env.host;
  const directory = guestPaths(env.settings, ref.name).backups;
  if (!isOwner(markerOwner(await files.read(`${directory}/${MARKER_FILE}`)), ref)) return;
  const names = await files.list(directory);
  for (const name of names) {
    const isUnrecorded = name.endsWith('.dump.zst') && !names.includes(`${name.slice(0, -'.dump.zst'.length)}.json`);
    if (name.endsWith(PART_SUFFIX) || isUnrecorded) await files.remove(`${directory}/${name}`);
  }
}

/** Undo of a backup: its snapshot, and its dump when that did not become a backup. */
export async function undoBackup(env: StepEnv, ref: GuestRef): Promise<void> {
  await removeSnapshot(env, ref);
  await discardHalfBackups(env, ref);
}
