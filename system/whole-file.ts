/** Files that are there whole or not at all: written under another name, brought to the disk, then renamed. */
import { randomBytes } from 'node:crypto';
import { constants, type Stats } from 'node:fs';
import { open, rename, rm, type FileHandle } from 'node:fs/promises';
import { dirname } from 'node:path';

/** A file that grows under a temporary name and becomes real, durably, by `commit`. */
export interface FileSink {
  write(chunk: Uint8Array): Promise<void>;
  /** fsync, rename to the final name, fsync of the directory. */
  commit(): Promise<void>;
  /** Removes the temporary file. Safe after a commit. */
  abort(): Promise<void>;
}

/** How a file is made. */
export interface NewFile {
  /** Default: 0600. */
  readonly mode?: number;
  /** Takes owner and mode from this file instead. */
  readonly like?: Stats | undefined;
  /** Brings a directory's entries to the disk. Default: fsync. */
  readonly sync?: (directory: string) => Promise<void>;
}

/** Suffix of files that are not whole yet; what a killed process left of them may be removed at any time. */
export const PART_SUFFIX = '.guestflow-part';

/** The name under which a file or directory is made until it is whole. */
export function partName(path: string): string {
  return `${path}.${randomBytes(4).toString('hex')}${PART_SUFFIX}`;
}

/** Brings a directory's entries to the disk. */
export async function syncDirectory(path: string): Promise<void> {
  const handle = await open(path, constants.O_RDONLY | constants.O_DIRECTORY);
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

async function make(path: string, { mode = 0o600, like }: NewFile): Promise<FileHandle> {
  const handle = await open(path, 'wx', like === undefined ? mode : 0o600);
  if (like === undefined) return handle;
  try {
    const { uid, gid } = await handle.stat();
    if (like.uid !== uid || like.gid !== gid) await handle.chown(like.uid, like.gid);
    await handle.chmod(like.mode & 0o7777);
    return handle;
  } catch (error) {
    await handle.close();
    await rm(path, { force: true });
    throw error;
  }
}

/** Opens a file that is to be written in pieces. */
export async function openSink(path: string, how: NewFile = {}): Promise<FileSink> {
  const temporary = partName(path);
  const handle = await make(temporary, how);
  let isOpen = true;
  return {
    write: (chunk) => handle.writeFile(chunk),
    async commit() {
      // Without the fsync a power cut after the rename can leave an empty file under the final name.
      await handle.sync();
      await handle.close();
      isOpen = false;
      await rename(temporary, path);
      await (how.sync ?? syncDirectory)(dirname(path));
    },
    async abort() {
      if (isOpen) await handle.close();
      isOpen = false;
      await rm(temporary, { force: true });
    },
  };
}

/** Writes a whole file in the place of what is there: whoever reads sees the former one or this one, after a power cut, too. */
export async function writeWhole(path: string, data: string | Uint8Array, how: NewFile = {}): Promise<void> {
  const file = await openSink(path, how);
  try {
    await file.write(typeof data === 'string' ? Buffer.from(data) : data);
    await file.commit();
  } finally {
    await file.abort();
  }
}
