/**
 * A dom0 as the steps see it: a runner of its tools and its files. The real one is this machine; the fake one is a directory and
 * simulated tools behind the same interface (`fake/`).
 */
import { constants } from 'node:fs';
import { lstat, mkdir, open, readdir, readFile, readlink, rename, rm, statfs, symlink, unlink } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { attach, type Attached, type AttachOptions } from './attached.ts';
import { overwrite, type WipeFile } from './overwrite.ts';
import { createRunner, type Runner, type RunObserver } from './run.ts';
import { openSink, PART_SUFFIX, syncDirectory, writeWhole, type FileSink } from './whole-file.ts';

/** What is at a path. */
export interface FileInfo {
  readonly kind: 'file' | 'directory' | 'symlink' | 'block' | 'other';
  readonly bytes: number;
  /** Bytes that it takes on the disk: less than `bytes` for a sparse file. */
  readonly allocatedBytes: number;
  readonly modifiedAt: Date;
  readonly mode: number;
}

export { PART_SUFFIX, type FileSink };

/** The files of a dom0, by the paths that its own tools know. */
export interface HostFiles {
  /** Bytes of a file, or undefined when there is none. */
  read(path: string): Promise<Buffer | undefined>;
  /** The first bytes of a file, at most `bytes` of them; undefined when there is none. */
  readHead(path: string, bytes: number): Promise<Buffer | undefined>;
  /** Writes a whole file under a temporary name, then fsync, rename, fsync of the directory: it is there whole or not at all. */
  writeAtomic(path: string, data: string | Uint8Array, mode?: number): Promise<void>;
  sink(path: string, mode?: number): Promise<FileSink>;
  info(path: string): Promise<FileInfo | undefined>;
  /** Removes a file or link, then fsyncs its directory: it does not come back after a power cut. If nothing is there, it does nothing. */
  remove(path: string): Promise<void>;
  /** Overwrites a file with zeros, brings them to the disk, then removes it. A link is removed, and its target stays. If nothing is there, it does nothing. */
  wipe(path: string, how?: WipeFile): Promise<void>;
  /** Removes a directory with all that is in it, never following links, then fsyncs its parent. If nothing is there, it does nothing. */
  removeTree(path: string): Promise<void>;
  /** Renames, then fsyncs the target's directory. */
  rename(from: string, to: string): Promise<void>;
  /** With those above it that are not there; what is written into it durably has a name after a power cut, too. */
  makeDirectory(path: string, mode?: number): Promise<void>;
  /** Names in a directory; none when there is no such directory. */
  list(path: string): Promise<string[]>;
  symlink(target: string, path: string): Promise<void>;
  /** Where a link leads, or undefined when there is nothing, or something that is no link. */
  readLink(path: string): Promise<string | undefined>;
  /** Bytes free for root on the file system that holds the path. */
  freeBytes(path: string): Promise<number>;
}

/** A dom0: its tools and its files. */
export interface Host extends Runner {
  readonly files: HostFiles;
}

/** A dom0 on whose processes one can be attached, too. */
export interface AttachableHost extends Host {
  /** Starts a process that is talked with while it runs, and returns at once. */
  attach(tool: string, args: readonly string[], options: AttachOptions): Attached;
}

function isMissing(error: unknown): boolean {
  return error instanceof Error && 'code' in error && (error.code === 'ENOENT' || error.code === 'ENOTDIR');
}

async function orUndefined<T>(work: Promise<T>): Promise<T | undefined> {
  try {
    return await work;
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw error;
  }
}

/** What readlink(2) says of a file that is no link. */
export function isNoLink(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'EINVAL';
}

async function headOf(path: string, bytes: number): Promise<Buffer> {
  const handle = await open(path, constants.O_RDONLY);
  try {
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(bytes), 0, bytes, 0);
    return buffer.subarray(0, bytesRead);
  } finally {
    await handle.close();
  }
}

async function infoOf(file: string): Promise<FileInfo> {
  const found = await lstat(file);
  const kind = found.isFile()
    ? 'file'
    : found.isDirectory()
      ? 'directory'
      : found.isSymbolicLink()
        ? 'symlink'
        : found.isBlockDevice()
          ? 'block'
          : 'other';
  return { kind, bytes: found.size, allocatedBytes: found.blocks * 512, modifiedAt: found.mtime, mode: found.mode & 0o7777 };
}

/**
 * The files below `root`.
 *
 * @param root '/' for this machine; a directory for a fake dom0. Paths given to the methods are absolute and looked up below it.
 * @param sync brings a directory's entries to the disk.
 */
export function createHostFiles(root = '/', sync: (directory: string) => Promise<void> = syncDirectory): HostFiles {
  const at = (path: string): string => {
    if (!path.startsWith('/') || path.split('/').includes('..')) throw new Error(`not an absolute path: ${path}`);
    return join(root, path);
  };

  async function remove(path: string): Promise<void> {
    const removed = await orUndefined(unlink(at(path)).then(() => true));
    if (removed === true) await sync(dirname(at(path)));
  }

  return {
    read: async (path) => orUndefined(readFile(at(path))),
    readHead: async (path, bytes) => orUndefined(headOf(at(path), bytes)),
    writeAtomic: (path, data, mode = 0o600) => writeWhole(at(path), data, { mode, sync }),
    sink: (path, mode = 0o600) => openSink(at(path), { mode, sync }),
    info: async (path) => orUndefined(infoOf(at(path))),
    remove,
    async wipe(path, how = {}) {
      await orUndefined(overwrite(at(path), how));
      await remove(path);
    },
    async removeTree(path) {
      if ((await orUndefined(lstat(at(path)))) === undefined) return;
      await rm(at(path), { recursive: true, force: true });
      await sync(dirname(at(path)));
    },
    async rename(from, to) {
      await rename(at(from), at(to));
      await sync(dirname(at(to)));
    },
    async makeDirectory(path, mode = 0o755) {
      const first = await mkdir(at(path), { recursive: true, mode });
      if (first === undefined) return;
      for (let made = at(path); made.length >= first.length; made = dirname(made)) await sync(dirname(made));
    },
    list: async (path) => (await orUndefined(readdir(at(path)))) ?? [],
    async symlink(target, path) {
      await symlink(target, at(path));
      await sync(dirname(at(path)));
    },
    readLink: async (path) =>
      orUndefined(readlink(at(path))).catch((error: unknown) => {
        if (isNoLink(error)) return undefined;
        throw error;
      }),
    async freeBytes(path) {
      const found = await statfs(at(path));
      return found.bavail * found.bsize;
    },
  };
}

/** This machine as a dom0. */
export function createHost(observe: RunObserver = () => undefined): AttachableHost {
  return {
    ...createRunner(observe),
    files: createHostFiles('/'),
    attach: (tool, args, options) => attach(tool, args, options, observe),
  };
}
