/** Files in and out for `guestflow cfg`: bounded reads, a write that is whole or not at all. */
import { constants } from 'node:fs';
import { lstat, open } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import { writeWhole } from '../../system/whole-file.ts';

/** A file that cannot be read or written; `isInput` where another name or file would do. */
export class FileProblem extends Error {
  override readonly name = 'FileProblem';
  readonly isInput: boolean;

  constructor(message: string, isInput: boolean) {
    super(message);
    this.isInput = isInput;
  }
}

const REASONS: Readonly<Record<string, string>> = {
  ENOENT: 'no such file or folder',
  ENOTDIR: 'a part of the path is no folder',
  EISDIR: 'is a folder',
  EACCES: 'permission denied',
  ELOOP: 'too many symbolic links',
  ENAMETOOLONG: 'the name is too long',
};

/** The bytes of a regular file of at most `most` bytes. A pipe, device or folder is refused and never waited for. */
export async function readBounded(path: string, most: number, what: string): Promise<Uint8Array> {
  let handle: FileHandle | undefined;
  try {
    handle = await open(path, constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOCTTY);
    const status = await handle.stat();
    if (!status.isFile()) throw new FileProblem(`${path}: is no regular file`, true);
    if (status.size > most) throw new FileProblem(`${path}: ${status.size} bytes: ${what} has at most ${most}`, true);
    const buffer = Buffer.alloc(most + 1);
    const length = await readFully(handle, buffer);
    if (length > most) throw new FileProblem(`${path}: ${what} has at most ${most} bytes`, true);
    return buffer.subarray(0, length);
  } catch (error) {
    throw asProblem(path, error, 'read');
  } finally {
    await handle?.close();
  }
}

async function readFully(handle: FileHandle, buffer: Buffer): Promise<number> {
  let length = 0;
  while (length < buffer.length) {
    const { bytesRead } = await handle.read(buffer, length, buffer.length - length, null);
    if (bytesRead === 0) break;
    length += bytesRead;
  }
  return length;
}

export async function readStandardInput(most: number): Promise<Uint8Array> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of process.stdin as AsyncIterable<Buffer>) {
    chunks.push(chunk);
    length += chunk.length;
    if (length > most) throw new FileProblem(`standard input: a change has at most ${most} bytes`, true);
  }
  return Buffer.concat(chunks);
}

/**
 * Puts the bytes in place of a file in one step: a crash leaves the old file or the new one. The new file has mode and owner of
 * the old, or 0600. A symbolic link or anything but a regular file is refused.
 */
export async function replaceFile(path: string, bytes: Uint8Array): Promise<void> {
  try {
    const old = await lstat(path).catch(missingIsUndefined);
    if (old && !old.isFile())
      throw new FileProblem(`${path}: is ${old.isSymbolicLink() ? 'a symbolic link: name the file itself' : 'no regular file'}`, true);
    await writeWhole(path, bytes, { like: old });
  } catch (error) {
    throw asProblem(path, error, 'written');
  }
}

/** To stdout, all of it. A reader that has gone (`… | head`) is no error. */
export async function writeOut(content: string | Uint8Array): Promise<void> {
  const isGone = (error: Error): boolean => 'code' in error && error.code === 'EPIPE';
  const overlook = (error: Error): void => {
    if (!isGone(error)) throw error;
  };
  process.stdout.once('error', overlook);
  await new Promise<void>((resolve, reject) => {
    process.stdout.write(content, (error) => {
      if (error && !isGone(error)) reject(error);
      else resolve();
    });
  });
  setImmediate(() => process.stdout.off('error', overlook));
}

function missingIsUndefined(error: unknown): undefined {
  if (codeOf(error) === 'ENOENT') return undefined;
  throw error;
}

function asProblem(path: string, error: unknown, verb: 'read' | 'written'): FileProblem {
  if (error instanceof FileProblem) return error;
  const code = codeOf(error);
  const reason = REASONS[code];
  const detail = reason ?? (error instanceof Error ? error.message : String(error));
  return new FileProblem(`${path}: cannot be ${verb}: ${detail}`, reason !== undefined || verb === 'read');
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : '';
}
