/** The dom0's root disk, made without loop devices or mounts: mke2fs fills the file system from the tree. */
import { open } from 'node:fs/promises';
import type { Runner } from '../system/run.ts';

/** Size of the root disk: sparse; guests' image files and backups are on it. */
export const ROOT_DISK_BYTES = 16 * 1024 ** 3;

/** Makes an ext4 file system of the tree in the new raw file `target`. */
export async function makeRootImage(runner: Runner, tree: string, target: string, signal?: AbortSignal): Promise<void> {
  const file = await open(target, 'wx', 0o600);
  await file.truncate(ROOT_DISK_BYTES);
  await file.close();
  await runner.run(
    'mke2fs',
    ['-q', '-F', '-t', 'ext4', '-m', '1', '-E', 'lazy_itable_init=0,lazy_journal_init=0', '-L', 'dom0root', '-d', tree, target],
    {
      timeoutMs: 10 * 60_000,
      ...(signal === undefined ? {} : { signal }),
    },
  );
}
