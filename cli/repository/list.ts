/** `guestflow backups --repository`: what a repository's directory holds. Temporal is not asked. */
import {
  readBackupOf,
  readGuestOf,
  readRepository,
  type FoundBackup,
  type FoundGuest,
} from '../../activities/dom0/backup/repositories/reading.ts';
import { GuestflowError } from '../../contract/errors.ts';
import { formatSize } from '../../contract/sizes.ts';
import { plainText } from '../../system/plain-text.ts';
import { printFacts, printJson, printLine, printTable, type Io } from '../io.ts';
import { directoryOf, type ListOptions, type ReaderProgram } from './options.ts';

/**
 * The guests of a repository, one guest, one backup of it, or what is in that.
 *
 * @returns the exit code, where it is not 0
 */
export async function showRepository(
  io: Io,
  name: string | undefined,
  options: ListOptions,
  program: ReaderProgram,
): Promise<number | undefined> {
  const directory = directoryOf(options.repository);
  const isOfOne = options.backup !== undefined || options.cfg !== undefined || options.ls !== undefined || options.diff !== undefined;
  if (name === undefined && isOfOne)
    throw new GuestflowError('InvalidInput', 'no guest was named whose backup is meant', { field: 'NAME' });
  if (name !== undefined && options.diff !== undefined) return (await import('./diff.ts')).showDifferences(io, name, options, program);
  if (name !== undefined && options.ls !== undefined) return (await import('./files.ts')).listFiles(io, name, options, program);
  if (name !== undefined && isOfOne) showOne(io, await readBackupOf(directory, name, options.backup), options);
  else showGuests(io, directory, name === undefined ? await readRepository(directory) : [await readGuestOf(directory, name)], options);
  return undefined;
}

function showGuests(io: Io, directory: string, guests: readonly FoundGuest[], { json }: ListOptions): void {
  if (json) {
    printJson(io, { repository: directory, guests });
    return;
  }
  const backups = guests.flatMap((guest) => guest.backups);
  // Of a backup host only.
  const isCopy = backups.some(({ arrivedAt }) => arrivedAt !== undefined);
  if (backups.length === 0) printLine(io, `no backups in ${directory}`);
  else
    printTable(
      io,
      ['GUEST', 'ID', 'TAKEN', ...(isCopy ? ['ARRIVED'] : []), 'SIZE', 'CONTENT', 'STATE', 'AS', 'ENGINE', 'REMARK'],
      backups.map((backup) => [
        ...[backup.guest, backup.id, backup.takenAt, ...(isCopy ? [backup.arrivedAt ?? '–'] : [])],
        ...[formatSize(backup.bytes), formatSize(backup.dumpedBytes)],
        ...[stateOf(backup), backup.consistency, engineOf(backup), remarksOf(backup)],
      ]),
    );
  const damaged = guests.flatMap((guest) => guest.damaged.map((damage) => [guest.name, damage.record, oneLine(damage.reason)] as const));
  if (damaged.length === 0) return;
  printLine(io);
  printTable(io, ['DAMAGED', 'RECORD', 'WHY'], damaged);
}

function showOne(io: Io, backup: FoundBackup, { json, cfg }: ListOptions): void {
  if (cfg) {
    if (backup.cfg === undefined)
      throw new GuestflowError('NotFound', `backup ${backup.id} of ${backup.guest} has no cfg: the guest had none`, { field: 'cfg' });
    io.stdout.write(Buffer.from(backup.cfg, 'latin1'));
  } else if (json) printJson(io, backup);
  else
    printFacts(io, [
      ['guest', backup.guest],
      ['backup', backup.id],
      ['path', backup.path],
      ['taken', `${backup.takenAt} on ${backup.dom0}, order ${backup.order}`],
      ['arrived', backup.arrivedAt],
      ['engine', oneLine(`${engineOf(backup)}: ${backup.why}`)],
      ['tools', oneLine(backup.tools.join(', '))],
      ['state', stateOf(backup)],
      ['consistency', backup.consistency],
      ['size', `${formatSize(backup.bytes)} (${backup.bytes} bytes)`],
      ['content', `${formatSize(backup.dumpedBytes)} (${backup.dumpedBytes} bytes)`],
      ['disks', `root ${backup.disks.root} bytes${backup.disks.swap === undefined ? '' : `, swap ${backup.disks.swap} bytes`}`],
      ['file system', oneLine(`${backup.fileSystem.uuid}, ${backup.fileSystem.features.join(' ')}`)],
      ['remarks', remarksOf(backup)],
      ['sha256', backup.sha256],
    ]);
}

function stateOf({ state, isProtected }: FoundBackup): string {
  return isProtected === true ? `${state}, protected` : state;
}

/** `blocks in borg`: SIZE is then what it has added to the repository. */
function engineOf({ engine, keptBy }: FoundBackup): string {
  return keptBy === undefined ? engine : `${engine} in ${keptBy}`;
}

function remarksOf({ warnings = [] }: FoundBackup): string {
  return oneLine(warnings.join('; '));
}

/** A record may hold anything. */
function oneLine(text: string): string {
  return plainText(text).replaceAll('\n', ' ');
}
