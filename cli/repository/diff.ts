/** `--diff`: what changed from one backup of a guest to another. */
import { dirname, resolve } from 'node:path';
import { Comparison, type Change, type Side } from '../../activities/dom0/backup/files/compare.ts';
import type { FileEntry, Problem } from '../../activities/dom0/backup/files/frames.ts';
import { readFiles } from '../../activities/dom0/backup/files/read-files.ts';
import { readBackupOf, type FoundBackup } from '../../activities/dom0/backup/repositories/reading.ts';
import type { HandWork } from '../../activities/dom0/work.ts';
import { defined } from '../../contract/defined.ts';
import { GuestflowError } from '../../contract/errors.ts';
import { EXIT } from '../../contract/exit-codes.ts';
import { shownName } from '../../contract/shown-name.ts';
import { printJson, printLine, printTable, type Io } from '../io.ts';
import { shownProblems, shownReason } from './files.ts';
import { directoryOf, passphraseFileOf, type ListOptions, type ReaderProgram } from './options.ts';
import { byHand } from './progress.ts';

/** What is shown: a tenant decides how many changes there are, and how long names are. All are counted. */
const MOST_SHOWN = 10_000;
const MOST_SHOWN_BYTES = 16 * 2 ** 20;
const MOST_PROBLEMS = 1_000;

type Kind = 'added' | 'removed' | 'changed';

interface Found {
  readonly changes: Change[];
  readonly counts: Record<Kind, number>;
  readonly problems: Problem[];
  untold: number;
  bytes: number;
}

function kindOf({ was, now }: Change): Kind {
  return was === undefined ? 'added' : now === undefined ? 'removed' : 'changed';
}

/** @returns the exit code: 1 if any of it could not be read */
export async function showDifferences(io: Io, name: string, options: ListOptions, program: ReaderProgram): Promise<number> {
  const directory = directoryOf(options.repository);
  const [older = '', newer = '', ...more] = options.diff ?? [];
  if (newer === '' || more.length > 0 || older === newer)
    throw new GuestflowError('InvalidInput', '--diff needs the ids of two backups', {
      field: 'diff',
      value: (options.diff ?? []).join(' '),
      mend: `guestflow backups --repository ${directory} ${name}`,
    });
  const other = (['backup', 'cfg', 'ls'] as const).find((flag) => options[flag] !== undefined);
  if (other !== undefined) throw new GuestflowError('InvalidInput', `--${other} does not go with --diff`, { field: other });
  const backups = [await readBackupOf(directory, name, older), await readBackupOf(directory, name, newer)] as const;
  const temporary = options.tmp === undefined ? dirname(directory) : resolve(options.tmp);
  const found: Found = { changes: [], counts: { added: 0, removed: 0, changed: 0 }, problems: [], untold: 0, bytes: 0 };
  const bytes = await program();
  await byHand(io, options.json === true, 'interrupted: what was unpacked is removed', (work) =>
    compare(work, backups, { temporary, passphraseFile: passphraseFileOf(options), program: bytes, found }),
  );
  show(io, name, options, found);
  return found.problems.some(({ isLoss }) => isLoss) ? EXIT.failed : EXIT.done;
}

interface Comparing {
  readonly temporary: string;
  readonly passphraseFile: string;
  readonly program: Uint8Array;
  readonly found: Found;
}

/** Reads both at once. When one cannot go on, the other ends, too. */
async function compare(work: HandWork, backups: readonly [FoundBackup, FoundBackup], { found, ...place }: Comparing): Promise<void> {
  const comparison = new Comparison((change) => keep(found, change));
  const ended = new AbortController();
  const both = { ...work, signal: AbortSignal.any([work.signal, ended.signal]) };
  const errors: unknown[] = [];
  const side = async (which: Side): Promise<void> => {
    const sink = comparison.sink(which, (problem) => {
      if (found.problems.length < MOST_PROBLEMS) found.problems.push(problem);
    });
    try {
      await readFiles(both, backups[which], { request: { what: 'tree', paths: [''] }, ...place, sink });
      comparison.end(which);
    } catch (error) {
      errors.push(error);
      comparison.fail(error instanceof Error ? error : new Error(String(error)));
      ended.abort();
    }
  };
  await Promise.all([side(0), side(1)]);
  if (errors.length > 0) throw errors[0];
}

function keep(found: Found, change: Change): void {
  found.counts[kindOf(change)] += 1;
  found.bytes += change.path.length;
  if (found.changes.length < MOST_SHOWN && found.bytes < MOST_SHOWN_BYTES) found.changes.push(change);
  else found.untold += 1;
}

function show(io: Io, guest: string, { json, diff = [] }: ListOptions, { changes, counts, problems, untold }: Found): void {
  const [from, to] = diff;
  if (json) {
    printJson(io, { guest, from, to, ...counts, changes: changes.map(shown), untold, problems: shownProblems(problems) });
    return;
  }
  for (const { path, reason } of problems) io.stderr.write(`guestflow: /${shownName(path)} ${shownReason(reason)}\n`);
  if (changes.length > 0)
    printTable(
      io,
      ['CHANGE', 'KIND', 'SIZE', 'WHAT', 'PATH'],
      changes.map((change) => [...[kindOf(change), kinds(change), sizes(change), change.parts.join(', ')], `/${shownName(change.path)}`]),
    );
  if (untold > 0) printLine(io, `${untold} more like these`);
  printLine(
    io,
    `${counts.added} added, ${counts.removed} removed, ${counts.changed} changed from ${from ?? ''} to ${to ?? ''} of ${guest}`,
  );
}

function shown(change: Change): object {
  const { path, was, now, parts } = change;
  return {
    path: `/${shownName(path)}`,
    change: kindOf(change),
    ...defined({ was: brief(was), now: brief(now) }),
    ...(parts.length === 0 ? {} : { parts }),
  };
}

function brief(entry: FileEntry | undefined): object | undefined {
  return entry === undefined ? undefined : { kind: entry.kind, size: entry.size };
}

/** Before and after, where they differ. */
function kinds({ was, now }: Change): string {
  const [before, after] = [was?.kind ?? now?.kind, now?.kind ?? was?.kind];
  return before === after ? (after ?? '') : `${before ?? ''} → ${after ?? ''}`;
}

function sizes({ was, now }: Change): string {
  const [before, after] = [was ?? now, now ?? was].map((entry) => (entry?.kind === 'file' ? String(entry.size) : ''));
  return before === after ? (after ?? '') : `${before ?? ''} → ${after ?? ''}`;
}
