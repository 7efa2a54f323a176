/** `guestflow restore --repository`: a guest's whole file system, or files of it, back from a directory. Temporal is not asked. */
import { resolve } from 'node:path';
import { readBackupOf } from '../../activities/dom0/backup/repositories/reading.ts';
import { restoreWhole } from '../../activities/dom0/backup/by-hand/restore.ts';
import { GuestflowError } from '../../contract/errors.ts';
import { formatSize } from '../../contract/sizes.ts';
import { printJson, printLine, type Io } from '../io.ts';
import { directoryOf, passphraseFileOf, type ReaderProgram, type RestoreOptions } from './options.ts';
import { byHand } from './progress.ts';

/**
 * Files, where any are named; else the whole file system, onto a block device or into a new file.
 *
 * @returns the exit code, where it is not 0
 */
export async function restoreFrom(io: Io, name: string, options: RestoreOptions, program: ReaderProgram): Promise<number | undefined> {
  if (options.file !== undefined) return (await import('./files.ts')).restoreFiles(io, name, options, program);
  if (options.tmp !== undefined)
    throw new GuestflowError('InvalidInput', '--tmp goes with --file: a whole file system is unpacked where it belongs', { field: 'tmp' });
  const directory = directoryOf(options.repository);
  if (options.to === undefined || options.to === '-')
    throw new GuestflowError('InvalidInput', 'no place was named to restore to', {
      field: 'to',
      mend: 'name a block device, or a file that is to be made: --to TARGET; or single files: --file PATH',
    });
  const to = resolve(options.to);
  const backup = await readBackupOf(directory, name, options.backup);
  const left = `interrupted: nothing at ${to} is a file system`;
  const { bytes } = await byHand(io, options.json === true, left, (work) =>
    restoreWhole(work, backup, { to, overwrite: options.overwrite === true, passphraseFile: passphraseFileOf(options) }),
  );
  if (options.json) printJson(io, { guest: name, backup: backup.id, to, bytes, contentBytes: backup.dumpedBytes });
  else
    printLine(
      io,
      `${to} is the file system of ${name} as of ${backup.takenAt}: ${formatSize(backup.dumpedBytes)}, checked and compared with the backup`,
    );
  return undefined;
}
