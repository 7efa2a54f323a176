/** Whether two mounted trees are the same: names, kinds, modes, owners, times, links, devices, contents and holes. */
import { createHash } from 'node:crypto';
import { closeSync, lstatSync, openSync, readdirSync, readlinkSync, readSync, type BigIntStats } from 'node:fs';

/** A file of more bytes is mostly holes: of it, its end is read. */
const MOST_READ = 64 * 2 ** 20;

function kindOf(stat: BigIntStats): string {
  const kinds = ['File', 'Directory', 'SymbolicLink', 'FIFO', 'Socket', 'BlockDevice', 'CharacterDevice'] as const;
  return kinds.find((kind) => stat[`is${kind}`]()) ?? 'unknown';
}

function contentOf(path: Buffer, size: number): string {
  const file = openSync(path, 'r');
  try {
    const length = Math.min(size, MOST_READ);
    const buffer = Buffer.alloc(length);
    readSync(file, buffer, 0, length, size - length);
    return createHash('sha256').update(buffer).digest('hex');
  } finally {
    closeSync(file);
  }
}

/** How much of it must be the same: dump keeps no nanoseconds, and no holes that it does not make itself. */
export interface Keeps {
  readonly nanoseconds: boolean;
  readonly inodes: boolean;
  readonly blocks: boolean;
}

/** All that is below a directory, one line a thing, sorted. */
export function describeTree(root: string, keeps: Keeps): string[] {
  const lines: string[] = [];
  const first = new Map<bigint, string>();
  const walk = (directory: Buffer, shown: string): void => {
    const names = readdirSync(directory, { encoding: 'buffer' }).sort((a, b) => a.compare(b));
    for (const name of names) {
      const path = Buffer.concat([directory, Buffer.from('/'), name]);
      const title = `${shown}/${name.toString('latin1')}`;
      const stat = lstatSync(path, { bigint: true });
      const kind = kindOf(stat);
      const linked = kind === 'Directory' ? '' : (first.get(stat.ino) ?? title);
      first.set(stat.ino, linked);
      const time = keeps.nanoseconds ? stat.mtimeNs : stat.mtimeMs / 1000n;
      const facts = [kind, stat.mode, stat.uid, stat.gid, kind === 'Directory' ? '' : stat.size, time, stat.rdev, stat.nlink, linked];
      const disk = [keeps.inodes ? stat.ino : '', keeps.blocks ? stat.blocks : ''];
      const content = kind === 'File' ? contentOf(path, Number(stat.size)) : kind === 'SymbolicLink' ? readlinkSync(path, 'latin1') : '';
      lines.push([JSON.stringify(title), ...facts, ...disk, content].join(' '));
      if (kind === 'Directory') walk(path, title);
    }
  };
  walk(Buffer.from(root), '');
  return lines;
}
