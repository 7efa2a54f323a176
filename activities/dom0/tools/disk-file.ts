/** Files that are disks: the room that they take, their size, and copies of them. */
import { checkedBytes, checkedPath } from './arguments.ts';
import type { Host } from '../../../system/host.ts';
import { defined } from '../../../contract/defined.ts';
import { ToolError } from '../../../system/run.ts';

/** A file system that writes its own tables for many TiB takes minutes. */
const ALLOCATE_LIMIT_MS = 10 * 60_000;
/** For a copy, during which a guest may stand still. */
const COPY_LIMIT_MS = 60 * 60_000;
const FLUSH_LIMIT_MS = 10 * 60_000;

/** Gives a file all of its room, up to `bytes`, which becomes its size if it is smaller. What it holds stays; what is new reads as zeros. */
export async function allocate(host: Host, path: string, bytes: number, signal?: AbortSignal): Promise<void> {
  const args = ['--length', String(checkedBytes('size', bytes)), '--', checkedPath('file', path)];
  await host.run('fallocate', args, { timeoutMs: ALLOCATE_LIMIT_MS, ...defined({ signal }) });
}

/** Cuts a file behind `bytes`. */
export async function cut(host: Host, path: string, bytes: number): Promise<void> {
  await host.run('truncate', ['--no-create', '--size', String(checkedBytes('size', bytes)), '--', checkedPath('file', path)]);
}

/** Has the kernel bring a file to the disk. */
export async function flushFile(host: Host, path: string, signal?: AbortSignal): Promise<void> {
  await host.run('sync', ['--', checkedPath('file', path)], { timeoutMs: FLUSH_LIMIT_MS, ...defined({ signal }) });
}

/**
 * Makes a second file of the same blocks, in a moment, even if somebody writes to the first one. A block is copied when one of the two is written to.
 *
 * @returns false when the file system cannot do that; what it has left of the second file is to be removed then
 */
export async function cloneFile(host: Host, from: string, to: string, signal?: AbortSignal): Promise<boolean> {
  const args = ['--reflink=always', '--no-target-directory', '--', checkedPath('file', from), checkedPath('file', to)];
  try {
    await host.run('cp', args, { timeoutMs: COPY_LIMIT_MS, ...defined({ signal }) });
    return true;
  } catch (error) {
    const cannot =
      /failed to clone .*: (?:Operation not supported|Invalid argument|Inappropriate ioctl for device|Invalid cross-device link)/;
    if (error instanceof ToolError && !error.cancelled && cannot.test(error.stderr)) return false;
    throw error;
  }
}

/** Copies a file, byte for byte. Zeros take no room in the copy. Nobody may write to the first one meanwhile. */
export async function copyFile(host: Host, from: string, to: string, signal?: AbortSignal): Promise<void> {
  const how = ['--reflink=never', '--sparse=always', '--no-target-directory'];
  await host.run('cp', [...how, '--', checkedPath('file', from), checkedPath('file', to)], {
    timeoutMs: COPY_LIMIT_MS,
    ...defined({ signal }),
  });
}
