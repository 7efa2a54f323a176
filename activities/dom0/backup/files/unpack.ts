/** Puts what was read below a directory that is made for it. Nothing is written but below directories made here, and through no link. */
import { constants } from 'node:fs';
import { chmod, lchown, link, lutimes, mkdir, open, symlink, type FileHandle } from 'node:fs/promises';
import { GuestflowError } from '../../../../contract/errors.ts';
import type { Segment } from './ext4/file-system.ts';
import type { FileEntry, FrameSink, Problem } from './frames.ts';

const DIRECTORY = 0o700;
const MOST_DIRECTORIES = 1_000_000;

/** What is left out of a directory: one on a dom0 must not hold a tenant's devices, and Node writes no extended attributes. */
const LEFT_OUT: Partial<Record<FileEntry['kind'], string>> = {
  socket: 'is a socket: it is left out',
  fifo: 'is a pipe: it is left out',
  character: 'is a device: it is left out',
  block: 'is a device: it is left out',
};

/** A file whose content is being written. */
interface Open {
  readonly handle: FileHandle;
  readonly entry: FileEntry;
  readonly segments: Segment[];
}

export class Unpacking implements FrameSink {
  private readonly root: string;
  private readonly tell: (problem: Problem) => void;
  private readonly directories = new Map<string, FileEntry | undefined>();
  private open: Open | undefined;

  /** @param root a directory that is empty, and nobody else's */
  constructor(root: string, tell: (problem: Problem) => void) {
    this.root = root;
    this.tell = tell;
    this.directories.set('', undefined);
  }

  problem(problem: Problem): void {
    this.tell(problem);
  }

  async entry(entry: FileEntry): Promise<void> {
    await this.closeFile();
    const why = LEFT_OUT[entry.kind];
    if (why !== undefined) {
      this.leaveOut(entry, why, false);
      return;
    }
    try {
      await this.makeParents(entry.path);
      await this.make(entry);
    } catch (error) {
      const code = error instanceof Error && 'code' in error ? String(error.code) : '';
      if (!['ENAMETOOLONG', 'EEXIST', 'ENOENT', 'ENOTDIR', 'EMLINK', 'EPERM', 'EILSEQ', 'EINVAL'].includes(code)) throw error;
      this.leaveOut(entry, `cannot be made here (${code})`, true);
    }
  }

  async content(piece: Buffer): Promise<void> {
    let rest = piece;
    while (rest.length > 0) {
      const segment = this.open?.segments[0];
      // Of one that could not be made, it is read on.
      if (this.open === undefined || segment === undefined) return;
      const [at, length] = segment;
      const part = rest.subarray(0, length);
      await this.open.handle.write(part, 0, part.length, at);
      if (part.length === length) this.open.segments.shift();
      else this.open.segments[0] = [at + part.length, length - part.length];
      rest = rest.subarray(part.length);
    }
  }

  /** All is there: directories get their modes and times, the deepest first. */
  async finish(): Promise<void> {
    await this.closeFile();
    for (const [path, entry] of [...this.directories].reverse()) if (entry !== undefined && path !== '') await this.settle(entry);
  }

  /** After what went wrong. */
  async abandon(): Promise<void> {
    await this.open?.handle.close();
    this.open = undefined;
  }

  private async make(entry: FileEntry): Promise<void> {
    const { path, kind, target = '', attributes } = entry;
    const at = this.at(path);
    if (kind === 'directory') {
      if (!this.directories.has(path)) await mkdir(at, DIRECTORY);
      this.keep(path, entry);
    } else if (kind === 'hardlink') {
      // Through no link: it may lead to what is in directories that were made here only.
      if (!this.directories.has(parentOf(target))) throw Object.assign(new Error('its other name is not there'), { code: 'ENOENT' });
      await link(this.at(target), at);
    } else if (kind === 'symlink') {
      await symlink(Buffer.from(target, 'latin1'), at);
      await this.settle(entry);
    } else {
      const handle = await open(at, constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW, 0o600);
      this.open = { handle, entry, segments: entry.segments.map(([from, length]): Segment => [from, length]) };
    }
    if (attributes.length > 0) this.leaveOut(entry, 'has extended attributes, which only a tar keeps (--to -)', false);
  }

  private async closeFile(): Promise<void> {
    if (this.open === undefined) return;
    const { handle, entry } = this.open;
    this.open = undefined;
    try {
      await handle.truncate(entry.size);
    } finally {
      await handle.close();
    }
    await this.settle(entry);
  }

  /** Owner before mode: a change of the owner takes set-uid away. */
  private async settle(entry: FileEntry): Promise<void> {
    const at = this.at(entry.path);
    await lchown(at, entry.uid, entry.gid);
    if (entry.kind !== 'symlink') await chmod(at, entry.mode);
    const seconds = entry.mtime[0] + entry.mtime[1] / 1e9;
    await lutimes(at, seconds, seconds);
  }

  private async makeParents(path: string): Promise<void> {
    const parts = path.split('/').slice(0, -1);
    for (let depth = 1; depth <= parts.length; depth += 1) {
      const parent = parts.slice(0, depth).join('/');
      if (this.directories.has(parent)) continue;
      await mkdir(this.at(parent), DIRECTORY);
      this.keep(parent, undefined);
    }
  }

  /** A tenant decides how many there are. */
  private keep(path: string, entry: FileEntry | undefined): void {
    this.directories.set(path, entry);
    if (this.directories.size > MOST_DIRECTORIES)
      throw new GuestflowError('InvalidInput', `these are more than ${MOST_DIRECTORIES} directories`, {
        field: 'to',
        mend: 'take them as a tar: --to -',
      });
  }

  private at(path: string): Buffer {
    return Buffer.concat([Buffer.from(`${this.root}/`), Buffer.from(path, 'latin1')]);
  }

  private leaveOut({ path }: FileEntry, reason: string, isLoss: boolean): void {
    this.tell({ is: 'problem', path, reason, isLoss });
  }
}

function parentOf(path: string): string {
  return path.slice(0, Math.max(0, path.lastIndexOf('/')));
}
