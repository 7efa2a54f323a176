/**
 * What a repository's directory holds, read with nothing but the directory: after Temporal, its database and the dom0 that wrote it are lost. Whoever had
 * the directory may have written anything into it: no link is followed, a record is read up to a bound and checked, and paths are built, never taken.
 */
import { lstat, readdir } from 'node:fs/promises';
import { basename } from 'node:path';
import { z } from 'zod';
import { BACKUP_ID, CONSISTENCIES, type StoredBackup } from '../../../../contract/backup.ts';
import { DOM0_NAME_PATTERN, ORDER_ID_PATTERN, whyNotGuestName } from '../../../../contract/guest-name.ts';
import { defined } from '../../../../contract/defined.ts';
import { GuestflowError } from '../../../../contract/errors.ts';
import { MiB } from '../../../../contract/sizes.ts';
import { SUFFIXES } from '../containers/zstd-file.ts';
import { BORG } from '../passphrase.ts';
import { proofName, withProof } from '../proof.ts';
import { protectionName, withProtection } from '../protection.ts';
import { readRecord, sumOf } from '../record.ts';
import { readArrival } from './arrival.ts';
import { readRegular } from './read-regular.ts';

/** A record has a cfg and an order in it, a few KiB each. */
export const MOST_RECORD_BYTES = MiB;
/** Names looked at in one directory. */
const MOST_NAMES = 100_000;

const count = z.int().min(0);
const line = z.string().max(10_000);

/** What is used of a record. What was ordered is shown only. */
const recordSchema = z.looseObject({
  format: z.literal(1),
  id: z.string().regex(BACKUP_ID),
  guest: z.string().refine((name) => whyNotGuestName(name) === undefined),
  order: z.string().regex(ORDER_ID_PATTERN),
  dom0: z.string().regex(DOM0_NAME_PATTERN),
  takenAt: z.iso.datetime(),
  endedAt: z.iso.datetime(),
  seconds: z.number().min(0),
  engine: z.enum(['blocks', 'dump']),
  keptBy: z.literal('borg').exactOptional(),
  why: line,
  state: z.enum(['taken', 'verified', 'proven']),
  consistency: z.enum(CONSISTENCIES),
  bytes: count,
  dumpedBytes: count,
  sha256: z.string().regex(/^[0-9a-f]{64}$/),
  tools: z.array(line).max(100),
  warnings: z.array(line).max(1_000).exactOptional(),
  fileSystem: z.looseObject({
    uuid: z.string().max(100),
    features: z.array(z.string().max(100)).max(200),
    blockSize: count,
    blocks: count,
  }),
  disks: z.looseObject({ root: count, swap: count.exactOptional() }),
  spec: z.looseObject({}),
  cfg: z.string().exactOptional(),
  /** Told beside a record, never by it. */
  path: z.never().exactOptional(),
  arrivedAt: z.never().exactOptional(),
  recordState: z.never().exactOptional(),
  proof: z.never().exactOptional(),
});

/** A backup in the directory, with what holds its content. */
export interface FoundBackup extends StoredBackup {
  /** Where its file is now, or the borg repository that it is in. What the record says of that may be of another machine. */
  readonly path: string;
  /** Of the record itself, which never changes. */
  readonly recordSha256: string;
  /** As the record alone says it. */
  readonly recordState: StoredBackup['state'];
  /** On a backup host: when it came there, by that host's clock. */
  readonly arrivedAt?: string;
}

/** A record that is not what was written, or a backup without its file. */
export interface Damage {
  /** Name of the record. */
  readonly record: string;
  readonly reason: string;
}

export interface FoundGuest {
  readonly name: string;
  /** Oldest first. */
  readonly backups: readonly FoundBackup[];
  readonly damaged: readonly Damage[];
}

/** The guests of which a repository's directory holds anything, by name. @throws NotFound when it is no directory */
export async function readRepository(directory: string): Promise<FoundGuest[]> {
  const guests: FoundGuest[] = [];
  for (const name of await guestsIn(directory)) guests.push(await readGuest(directory, name));
  return guests.filter(({ backups, damaged }) => backups.length + damaged.length > 0);
}

/** Names of the guests that have a place in a repository's directory, sorted. @throws NotFound when it is no directory */
export async function guestsIn(directory: string): Promise<string[]> {
  const names: string[] = [];
  for (const name of await namesIn(directory))
    if (whyNotGuestName(name) === undefined && (await isDirectory(`${directory}/${name}`))) names.push(name);
  return names;
}

/** One guest's backups. @throws NotFound, InvalidInput */
export async function readGuestOf(directory: string, name: string): Promise<FoundGuest> {
  const why = whyNotGuestName(name);
  if (why !== undefined)
    throw new GuestflowError('InvalidInput', `"${name}" is no name of a guest: ${why}`, { field: 'NAME', value: name });
  await namesIn(directory);
  if (await isDirectory(`${directory}/${name}`)) return readGuest(directory, name);
  throw new GuestflowError('NotFound', `${directory} holds no backups of ${name}`, {
    field: 'NAME',
    value: name,
    mend: `guestflow backups --repository ${directory}`,
  });
}

/** One backup: that of the id, else the newest that is whole and was not found to be unusable. @throws NotFound */
export async function readBackupOf(directory: string, name: string, id?: string): Promise<FoundBackup> {
  const { backups, damaged } = await readGuestOf(directory, name);
  const found = id === undefined ? backups.findLast(({ state }) => state !== 'unusable') : backups.find((backup) => backup.id === id);
  if (found !== undefined) return found;
  const broken = damaged.find(({ record }) => record === `${id ?? ''}.json`);
  const mend = `guestflow backups --repository ${directory} ${name}`;
  if (broken !== undefined)
    throw new GuestflowError('BackupUnusable', `backup ${id ?? ''} of ${name} is damaged: ${broken.reason}`, { field: 'backup', mend });
  throw new GuestflowError('NotFound', `${directory} holds no ${id === undefined ? 'whole backup' : `backup "${id}"`} of ${name}`, {
    field: 'backup',
    ...(id === undefined ? {} : { value: id }),
    mend,
  });
}

/** The record of a backup, as it was written. @throws BackupUnusable */
export async function recordTextOf(directory: string, { guest, id }: FoundBackup): Promise<string> {
  const text = await readRegular(`${directory}/${guest}/${id}.json`, MOST_RECORD_BYTES);
  if (text !== undefined) return text.toString('utf8');
  throw new GuestflowError('BackupUnusable', `the record of backup ${id} of ${guest} cannot be read`);
}

async function readGuest(directory: string, name: string): Promise<FoundGuest> {
  const place = `${directory}/${name}`;
  const backups: FoundBackup[] = [];
  const damaged: Damage[] = [];
  for (const record of await namesIn(place)) {
    const id = /^(\d{8}T\d{6}Z)\.json$/.exec(record)?.[1];
    if (id === undefined) continue;
    const found = await readOne(place, { guest: name, id });
    if (typeof found === 'string') damaged.push({ record, reason: found });
    else backups.push(found);
  }
  return { name, backups, damaged };
}

/** The backup of a record, or what is wrong with it. */
async function readOne(place: string, { guest, id }: { guest: string; id: string }): Promise<FoundBackup | string> {
  const text = await readRegular(`${place}/${id}.json`, MOST_RECORD_BYTES);
  if (text === undefined) return `it is no regular file of at most ${MOST_RECORD_BYTES} bytes that can be read`;
  const backup = checkedRecord(text.toString('utf8'), { guest, id });
  if (typeof backup === 'string') return backup;
  const path = backup.keptBy === undefined ? `${place}/${id}${SUFFIXES[backup.engine]}` : `${place}/${BORG}`;
  const why = backup.keptBy === undefined ? await whyNotFile(path, backup) : await whyNotBorg(path);
  if (why !== undefined) return why;
  const proof = (await readRegular(`${place}/${proofName(id)}`, MOST_RECORD_BYTES))?.toString('utf8');
  const arrival = await readArrival(place, id);
  const found = { ...backup, path, recordSha256: sumOf(backup), recordState: backup.state, ...defined({ arrivedAt: arrival?.arrivedAt }) };
  const protection = await lstat(`${place}/${protectionName(id)}`).catch(() => undefined);
  return withProtection(withProof(found, proof), protection !== undefined);
}

async function whyNotFile(path: string, { bytes }: StoredBackup): Promise<string | undefined> {
  const file = await lstat(path).catch(() => undefined);
  if (file?.isFile() !== true) return `its file ${basename(path)} is not there`;
  return file.size === bytes ? undefined : `its file has ${file.size} bytes, and had ${bytes}`;
}

/** Whether it holds the backup is known to who has the passphrase only. */
async function whyNotBorg(path: string): Promise<string | undefined> {
  const config = await lstat(`${path}/config`).catch(() => undefined);
  return config?.isFile() === true ? undefined : `the borg repository that it is in, ${basename(path)}, is not there`;
}

/** The backup that a record describes, which must be this one; or what is wrong with it, in words. */
export function checkedRecord(text: string, { guest, id }: { readonly guest: string; readonly id: string }): StoredBackup | string {
  const backup = readRecord(text);
  if (backup === undefined) return 'it is not, byte for byte, what was written';
  const { error } = recordSchema.safeParse(backup);
  if (error !== undefined) return `it is no record of a backup: its ${error.issues[0]?.path.join('.') ?? 'form'} is not as it must be`;
  if (backup.guest !== guest || backup.id !== id) return `it is of backup ${backup.id} of ${backup.guest}`;
  return backup;
}

const REASONS: Readonly<Record<string, string>> = {
  ENOENT: 'no such directory',
  ENOTDIR: 'it is no directory',
  EACCES: 'permission denied',
};

async function isDirectory(path: string): Promise<boolean> {
  return (await lstat(path).catch(() => undefined))?.isDirectory() === true;
}

/** Sorted. */
async function namesIn(directory: string): Promise<string[]> {
  const names = await readdir(directory).catch((error: unknown) => {
    const code = error instanceof Error && 'code' in error ? String(error.code) : '';
    throw new GuestflowError('NotFound', `${directory} cannot be read as a repository: ${REASONS[code] ?? code}`, {
      field: 'repository',
      value: directory,
      ...(code === 'EACCES' ? { mend: 'run it as root, or let its group read it' } : {}),
    });
  });
  if (names.length > MOST_NAMES)
    throw new GuestflowError('InvalidInput', `${directory} has ${names.length} entries: it is no repository`, { field: 'repository' });
  return names.sort();
}
