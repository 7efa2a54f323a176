/** Files that are changed as a whole: shown as a difference, written at once, put back on undo. */
import { GuestflowError } from '../contract/errors.ts';
import type { HostFiles } from '../system/host.ts';
import type { Job } from './types.ts';

/** A file as it is and as it is to be; undefined: not there. */
export interface FileChange {
  readonly path: string;
  readonly before: string | undefined;
  readonly after: string | undefined;
  /** Of a file that is new; one that is there keeps its own. Default: 0644. */
  readonly mode?: number;
}

/** Text of a file. Refuses a link: what it leads to may be shared, and is not ours to replace. */
export async function readText(files: HostFiles, path: string): Promise<string | undefined> {
  const info = await files.info(path);
  if (info === undefined) return undefined;
  if (info.kind !== 'file')
    throw new GuestflowError('NotOurs', `${path} is a ${info.kind === 'symlink' ? 'symbolic link' : info.kind}, no file`, {
      field: 'file',
      value: path,
      mend: `make ${path} a file of its own, or make this change by hand`,
    });
  return (await files.read(path))?.toString('utf8');
}

/** The lines that go (-) and come (+), under the file's path. */
export function showChange({ path, before, after }: FileChange): string[] {
  if (before === undefined) return [`${path} (new)`, ...linesOf(after).map((line) => `+ ${line}`)];
  if (after === undefined) return [`${path} (removed)`];
  return [path, ...difference(linesOf(before), linesOf(after))];
}

function linesOf(text: string | undefined): string[] {
  return (text ?? '').replace(/\n$/, '').split('\n');
}

/** By the longest common subsequence; lines that stay are left out. */
function difference(before: readonly string[], after: readonly string[]): string[] {
  const lengths = before.map(() => new Array<number>(after.length + 1).fill(0));
  lengths.push(new Array<number>(after.length + 1).fill(0));
  const at = (row: number, column: number): number => lengths[row]?.[column] ?? 0;
  for (let row = before.length - 1; row >= 0; row -= 1)
    for (let column = after.length - 1; column >= 0; column -= 1) {
      const longest = before[row] === after[column] ? at(row + 1, column + 1) + 1 : Math.max(at(row + 1, column), at(row, column + 1));
      (lengths[row] ?? [])[column] = longest;
    }
  const shown: string[] = [];
  let [row, column] = [0, 0];
  while (row < before.length || column < after.length) {
    if (row < before.length && column < after.length && before[row] === after[column]) {
      row += 1;
      column += 1;
    } else if (row < before.length && (column >= after.length || at(row + 1, column) >= at(row, column + 1))) {
      shown.push(`- ${before[row] ?? ''}`);
      row += 1;
    } else {
      shown.push(`+ ${after[column] ?? ''}`);
      column += 1;
    }
  }
  return shown;
}

/** Writes the files that change, in order; each is put back on undo. */
export async function writeChanges(job: Pick<Job, 'host' | 'onUndo'>, changes: readonly FileChange[]): Promise<void> {
  for (const change of changes) {
    if (change.before === change.after) continue;
    job.onUndo(`put back ${change.path}`, () => put(job.host.files, { ...change, after: change.before }));
    await put(job.host.files, change);
  }
}

async function put(files: HostFiles, { path, after, mode = 0o644 }: FileChange): Promise<void> {
  if (after === undefined) {
    await files.remove(path);
    return;
  }
  await files.makeDirectory(path.slice(0, path.lastIndexOf('/')) || '/');
  await files.writeAtomic(path, after, (await files.info(path))?.mode ?? mode);
}
