/** Writes zeros over a file before it is removed, so that an image of a tenant's memory is not left in free blocks. */
import { constants } from 'node:fs';
import { open } from 'node:fs/promises';
import { paced, type Pace } from './pace.ts';

const PIECE_BYTES = 4 * 2 ** 20;

/** How a file is wiped. */
export interface WipeFile {
  /** Default: as fast as the disk can. */
  readonly pace?: Pace;
  readonly signal?: AbortSignal;
}

/**
 * Writes zeros over the blocks of a file, and brings them to the disk. It never follows a link. Links and other files that are not regular are not
 * overwritten.
 *
 * If the file system writes changes elsewhere (btrfs, or a snapshot below it), the former blocks stay: they cannot be reached from here.
 *
 * @param path on this machine
 */
export async function overwrite(path: string, { pace, signal }: WipeFile): Promise<void> {
  const handle = await open(path, constants.O_WRONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK).catch((error: unknown) => {
    if (error instanceof Error && 'code' in error && error.code === 'ELOOP') return undefined;
    throw error;
  });
  if (handle === undefined) return;
  try {
    const found = await handle.stat();
    const zeros = Buffer.alloc(PIECE_BYTES);
    for (let at = 0; found.isFile() && at < found.size; at += PIECE_BYTES) {
      signal?.throwIfAborted();
      const bytes = Math.min(PIECE_BYTES, found.size - at);
      const piece = async (): Promise<void> => {
        await handle.write(zeros, 0, bytes, at);
        // Paced by what the disk takes, not by what the page cache takes.
        await handle.datasync();
      };
      await (pace === undefined ? piece() : paced(pace, bytes, piece, signal));
    }
    await handle.sync();
  } finally {
    await handle.close();
  }
}
