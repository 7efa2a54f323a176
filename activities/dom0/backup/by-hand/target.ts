/** Where a whole file system is brought back to: a block device, or a file that has its name only when it is whole. */
import { link, lstat, open, realpath, rename, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { GuestflowError } from '../../../../contract/errors.ts';
import { formatSize } from '../../../../contract/sizes.ts';
import { partName, syncDirectory } from '../../../../system/whole-file.ts';
import { zeroVolume } from '../../storage/lvm/wipe.ts';
import { checkedPath } from '../../tools/arguments.ts';
import { contentOf, mustBeUnused, sizeOf, spoilHead } from './block-device.ts';
import type { HandWork } from '../../work.ts';

/** Reads as zeros until something is written to it. */
export interface Target {
  /** For tools, until it is whole. */
  readonly device: string;
  readonly bytes: number;
  /** It is whole. */
  commit(): Promise<void>;
  /** It is not: what is there must not look as if it were. Safe after a commit, when it does nothing. */
  discard(): Promise<void>;
}

export interface Wanted {
  /** Size of the file system. */
  readonly bytes: number;
  /** What is there may go. */
  readonly overwrite: boolean;
}

/**
 * Makes a target ready, or refuses it before anything is changed.
 *
 * @param path absolute; a link to a device (`/dev/vg/volume`) or to a file is followed
 * @throws InvalidInput, Busy
 */
export async function openTarget(work: HandWork, path: string, wanted: Wanted): Promise<Target> {
  const at = await lstat(path).then(
    () => realpath(path).catch(() => refuse(path, 'it is a link that leads nowhere')),
    () => path,
  );
  checkedPath('to', at);
  const found = await lstat(at).catch(() => undefined);
  if (found?.isBlockDevice()) return openDevice(work, at, wanted);
  if (found !== undefined && !found.isFile()) refuse(path, 'it is neither a block device nor a file');
  if (found !== undefined && found.size > 0 && !wanted.overwrite) refuse(path, `it is a file of ${found.size} bytes`, OVERWRITE);
  return openFile(at, wanted.bytes, found === undefined);
}

const OVERWRITE = 'name another place, or allow it to be overwritten: --overwrite';

function refuse(path: string, why: string, mend = 'name a block device, or a file that is to be made'): never {
  throw new GuestflowError('InvalidInput', `${path} cannot be restored to: ${why}`, { field: 'to', value: path, mend });
}

async function openDevice({ host, signal, progress }: HandWork, device: string, { bytes: wanted, overwrite }: Wanted): Promise<Target> {
  await mustBeUnused(host, device);
  const bytes = await sizeOf(host, device);
  if (bytes < wanted)
    refuse(
      device,
      `it has ${formatSize(bytes)} (${bytes} bytes), and the file system ${formatSize(wanted)} (${wanted} bytes): ${wanted - bytes} bytes too little`,
      'name a larger one',
    );
  const content = await contentOf(host, device);
  if (content !== undefined && !overwrite) refuse(device, `there is ${content} on it`, OVERWRITE);
  let isWhole = false;
  const target: Target = {
    device,
    bytes,
    commit() {
      isWhole = true;
      return Promise.resolve();
    },
    async discard() {
      if (!isWhole) await spoilHead(device);
    },
  };
  try {
    // What is restored leaves out what is zero: without this, former bytes of the device would be in the free blocks of the file system.
    await zeroVolume(host, device, {
      bytes,
      signal,
      onProgress: (done) => progress(`zeroing ${device}: ${formatSize(done)} of ${formatSize(bytes)}`, done / bytes),
    });
    return target;
  } catch (error) {
    await target.discard();
    throw error;
  }
}

async function openFile(path: string, bytes: number, isNew: boolean): Promise<Target> {
  const part = partName(path);
  const handle = await open(part, 'wx', 0o600).catch((error: unknown) =>
    refuse(path, error instanceof Error ? error.message : String(error)),
  );
  try {
    await handle.truncate(bytes);
  } finally {
    await handle.close();
  }
  return {
    device: part,
    bytes,
    async commit() {
      // A file that somebody has made there meanwhile stays.
      if (isNew) await link(part, path);
      else await rename(part, path);
      await syncDirectory(dirname(path));
      await rm(part, { force: true });
    },
    discard: () => rm(part, { force: true }),
  };
}
