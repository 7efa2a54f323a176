/**
 * The directory of the disks. If its file system is not mounted, the directory beneath looks like one without any disk: so the one that was prepared has a
 * mark, and dom0 remembers elsewhere that it has made it.
 */
import type { Host, HostFiles } from '../../../../system/host.ts';
import { stagingIn } from '../../staging.ts';

interface Where {
  readonly host: Pick<Host, 'files'>;
  readonly directory: string;
}

function markOf(directory: string): string {
  return `${stagingIn(directory)}/prepared`;
}

function memoryOf(stateDir: string): string {
  return `${stateDir}/disk-directories`;
}

async function remembered(files: HostFiles, stateDir: string): Promise<string[]> {
  const text = (await files.read(memoryOf(stateDir)))?.toString('utf8') ?? '';
  return text.split('\n').filter((line) => line !== '');
}

/**
 * Makes the directory and its mark, once. If the mark has gone since, nothing is made: `preflight` says so. An operator who has moved the disks or has lost
 * them takes the directory's line out of `disk-directories` in the state directory.
 */
export async function prepareDirectory({ host: { files }, directory }: Where, stateDir: string): Promise<void> {
  if ((await files.info(markOf(directory))) === undefined) {
    if ((await remembered(files, stateDir)).includes(directory)) return;
    await files.makeDirectory(directory, 0o700);
    await files.makeDirectory(stagingIn(directory), 0o700);
    await files.writeAtomic(markOf(directory), '');
  }
  const known = await remembered(files, stateDir);
  if (known.includes(directory)) return;
  await files.makeDirectory(stateDir, 0o700);
  await files.writeAtomic(memoryOf(stateDir), [...known, directory].map((line) => `${line}\n`).join(''));
}

/** Why nothing may be kept in the directory, in words; undefined if it may. A link on the way could lead anywhere, and the kernel tells loop devices by where it led. */
export async function whyNoDirectory({ host: { files }, directory }: Where): Promise<string | undefined> {
  const parts = directory.split('/').slice(1);
  for (let depth = 1; depth <= parts.length; depth += 1) {
    const path = `/${parts.slice(0, depth).join('/')}`;
    const info = await files.info(path);
    if (info === undefined) return `${path} does not exist`;
    if (info.kind !== 'directory') return `${path} is ${info.kind === 'symlink' ? 'a link' : 'no directory'}`;
  }
  return (await files.info(markOf(directory))) === undefined
    ? `${directory} was not prepared, or its file system is not mounted`
    : undefined;
}

/** What to do when nothing may be kept in it. */
export function mendDirectory(directory: string, { host, stateDir }: { readonly host: string; readonly stateDir: string }): string {
  return `mount its file system; or guestflow dom0 prepare ${host}, which prepares a directory once: if the disks have gone for good, take ${directory} out of ${memoryOf(stateDir)} before`;
}
