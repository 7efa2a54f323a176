/** Files out of a backup of a repository's directory: a listing, a tar, or a directory with them. */
import { once } from 'node:events';
import { lstat, mkdir, rename, rm } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import type { Writable } from 'node:stream';
import type { FileEntry, FrameSink, Problem, Request } from '../../activities/dom0/backup/files/frames.ts';
import { readFiles } from '../../activities/dom0/backup/files/read-files.ts';
import { TAR_END, tarSink } from '../../activities/dom0/backup/files/tar.ts';
import { Unpacking } from '../../activities/dom0/backup/files/unpack.ts';
import { readBackupOf, type FoundBackup } from '../../activities/dom0/backup/repositories/reading.ts';
import { GuestflowError } from '../../contract/errors.ts';
import { EXIT } from '../../contract/exit-codes.ts';
import { shownName } from '../../contract/shown-name.ts';
import { partName } from '../../system/whole-file.ts';
import { printJson, printLine, printTable, type Io } from '../io.ts';
import { outermost, parsePath } from './names.ts';
import { directoryOf, passphraseFileOf, type ListOptions, type ReaderProgram, type RestoreOptions } from './options.ts';
import { byHand } from './progress.ts';

/** A tenant decides how many there are of these. */
const MOST_PROBLEMS = 1_000;
const MOST_LISTED = 100_000;

interface Source {
  readonly backup: FoundBackup;
  /** Where it is unpacked. */
  readonly temporary: string;
  readonly passphraseFile: string;
  readonly program: ReaderProgram;
  readonly isQuiet: boolean;
}

async function sourceOf(
  name: string,
  options: Pick<ListOptions, 'repository' | 'backup' | 'tmp' | 'json' | 'passphraseFile'>,
  program: ReaderProgram,
): Promise<Source> {
  const directory = directoryOf(options.repository);
  const temporary = options.tmp === undefined ? dirname(directory) : resolve(options.tmp);
  const backup = await readBackupOf(directory, name, options.backup);
  return { backup, temporary, passphraseFile: passphraseFileOf(options), program, isQuiet: options.json === true };
}

/** Reads, and returns what could not be. */
async function read(
  io: Io,
  source: Source,
  request: Request,
  sinkFor: (tell: (problem: Problem) => void) => FrameSink,
): Promise<Problem[]> {
  const problems: Problem[] = [];
  let untold = 0;
  const tell = (problem: Problem): void => {
    const isOne = problems.length < MOST_PROBLEMS || (problem.isLoss && !problems.some(({ isLoss }) => isLoss));
    if (!isOne) {
      untold += 1;
      return;
    }
    problems.push(problem);
    if (!source.isQuiet) io.stderr.write(`guestflow: /${shownName(problem.path)} ${shownReason(problem.reason)}\n`);
  };
  const { backup, temporary, passphraseFile, isQuiet } = source;
  const program = await source.program();
  let entries = 0;
  const sink = sinkFor(tell);
  const counted: FrameSink = {
    entry: (entry) => {
      entries += 1;
      return sink.entry(entry);
    },
    content: (piece) => sink.content(piece),
    problem: (problem) => sink.problem(problem),
  };
  await byHand(io, isQuiet, 'interrupted: what was unpacked is removed', (work) =>
    readFiles(work, backup, { request, temporary, passphraseFile, program, sink: counted }),
  );
  if (untold > 0) io.stderr.write(`guestflow: ${untold} more like these\n`);
  const [first] = problems;
  if (entries > 0 || first?.isLoss !== true) return problems;
  throw new GuestflowError(
    'NotFound',
    `of backup ${backup.id} of ${backup.guest}: /${shownName(first.path)} ${shownReason(first.reason)}`,
    {
      field: 'file',
      value: `/${shownName(first.path)}`,
    },
  );
}

/** A reason may hold a name. */
export function shownReason(reason: string): string {
  return shownName(reason).replaceAll('\\\\', '\\');
}

function exitCodeOf(problems: readonly Problem[]): number {
  return problems.some(({ isLoss }) => isLoss) ? EXIT.failed : EXIT.done;
}

export function shownProblems(problems: readonly Problem[]): object[] {
  return problems.map(({ path, reason, isLoss }) => ({ path: `/${shownName(path)}`, reason: shownReason(reason), isLoss }));
}

/** `--ls`. */
export async function listFiles(io: Io, name: string, options: ListOptions, program: ReaderProgram): Promise<number> {
  const path = parsePath('ls', options.ls ?? '');
  const source = await sourceOf(name, options, program);
  const entries: FileEntry[] = [];
  const problems = await read(io, source, { what: 'list', paths: [path] }, (tell) => ({
    entry: (entry) => {
      if (entries.push(entry) <= MOST_LISTED) return Promise.resolve();
      throw new GuestflowError('InvalidInput', `/${shownName(path)} has more than ${MOST_LISTED} entries`, {
        field: 'ls',
        mend: 'take it out: restore --file',
      });
    },
    content: () => Promise.resolve(),
    problem: tell,
  }));
  entries.sort((a, b) => (a.path < b.path ? -1 : 1));
  if (options.json) {
    const rows = entries.map(({ kind, mode, uid, gid, size, mtime, target, path: at }) => ({
      ...{ path: `/${shownName(at)}`, kind, mode: mode.toString(8).padStart(4, '0'), uid, gid, size, modifiedAt: timeOf(mtime) },
      ...(target === undefined ? {} : { target: shownName(target) }),
    }));
    printJson(io, { guest: name, backup: source.backup.id, path: `/${shownName(path)}`, entries: rows, problems: shownProblems(problems) });
  } else printTable(io, ['MODE', 'OWNER', 'SIZE', 'MODIFIED', 'NAME'], entries.map(rowOf));
  return exitCodeOf(problems);
}

const LETTERS = { file: '-', directory: 'd', symlink: 'l', hardlink: '-', fifo: 'p', socket: 's', character: 'c', block: 'b' } as const;

function rowOf({ kind, mode, uid, gid, size, mtime, target, device, path }: FileEntry): string[] {
  const of = target === undefined ? '' : ` -> ${shownName(target)}`;
  const name = shownName(path === '' ? '/' : path.slice(path.lastIndexOf('/') + 1));
  return [LETTERS[kind] + lettersOf(mode), `${uid}:${gid}`, device?.join(',') ?? String(size), timeOf(mtime), name + of];
}

/** `rwxr-sr-t`. */
function lettersOf(mode: number): string {
  const special = [
    [0o4000, 's'],
    [0o2000, 's'],
    [0o1000, 't'],
  ] as const;
  return special
    .map(([bit, letter], index) => {
      const bits = mode >> (6 - 3 * index);
      const runs = (bits & 1) !== 0;
      const last = (mode & bit) === 0 ? (runs ? 'x' : '-') : runs ? letter : letter.toUpperCase();
      return `${(bits & 4) === 0 ? '-' : 'r'}${(bits & 2) === 0 ? '-' : 'w'}${last}`;
    })
    .join('');
}

/** ISO 8601. A time beyond what a calendar tells: seconds since 1970. */
function timeOf([seconds]: FileEntry['mtime']): string {
  const at = new Date(seconds * 1000);
  return Number.isNaN(at.getTime()) ? `@${seconds}` : at.toISOString().replace('.000Z', 'Z');
}

/** `--file`. */
export async function restoreFiles(io: Io, name: string, options: RestoreOptions, program: ReaderProgram): Promise<number> {
  const paths = outermost((options.file ?? []).map((path) => parsePath('file', path)));
  const isTar = options.to === '-' || (options.to === undefined && io.stdout.isTTY !== true);
  const refuse = (why: string, field: string, mend: string): never => {
    throw new GuestflowError('InvalidInput', why, { field, mend });
  };
  if (options.overwrite) refuse('--overwrite is for a whole file system', 'overwrite', 'name a directory that is not there yet');
  if (isTar && options.json) refuse('a tar on standard output leaves no place for JSON', 'json', 'name a directory: --to DIR');
  if (options.to === undefined && !isTar)
    refuse('no place was named for the files', 'to', 'name a directory that is to be made, --to DIR, or --to - for a tar');
  const source = await sourceOf(name, options, program);
  const request: Request = { what: 'read', paths };
  if (!isTar) return restoreToDirectory(io, source, request, resolve(options.to ?? ''));
  const problems = await read(io, source, request, (tell) => tarSink((bytes) => write(io.stdout, bytes), tell));
  await write(io.stdout, TAR_END);
  return exitCodeOf(problems);
}

async function write(to: Writable, bytes: Uint8Array): Promise<void> {
  if (!to.write(bytes)) await once(to, 'drain');
}

async function restoreToDirectory(io: Io, source: Source, request: Request, to: string): Promise<number> {
  if ((await lstat(to).catch(() => undefined)) !== undefined)
    throw new GuestflowError('InvalidInput', `${to} is there already`, {
      field: 'to',
      value: to,
      mend: 'name a directory that is to be made',
    });
  const part = partName(to);
  await mkdir(part, 0o700).catch((error: unknown) => {
    throw new GuestflowError('InvalidInput', `${to} cannot be made: ${error instanceof Error ? error.message : String(error)}`, {
      field: 'to',
      value: to,
    });
  });
  let unpacking: Unpacking | undefined;
  try {
    const problems = await read(io, source, request, (tell) => (unpacking = new Unpacking(part, tell)));
    await unpacking?.finish();
    await rename(part, to);
    const { guest, id } = source.backup;
    if (source.isQuiet) printJson(io, { guest, backup: id, to, problems: shownProblems(problems) });
    else printLine(io, `${to} has what was asked for of backup ${id} of ${guest}`);
    return exitCodeOf(problems);
  } finally {
    await unpacking?.abandon();
    await rm(part, { recursive: true, force: true });
  }
}
