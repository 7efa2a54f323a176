/** A guest's disk made larger while the guest runs; and the file system on it, by the guest itself. */
import { GuestflowError } from '../../../contract/errors.ts';
import type { GuestRef, GuestSpec } from '../../../contract/guest.ts';
import { formatSize } from '../../../contract/sizes.ts';
import type { FileSystemResult } from '../../../contract/step-results.ts';
import type { StepEnv } from '../env.ts';
import { GROW_FS_SCRIPT } from '../guests/scripts.ts';
import { bootGuest } from './boot.ts';
import { shrinkDisk } from './resize-disk.ts';

/** A file system of many TiB is grown in minutes. */
const GROW_LIMIT_MS = 20 * 60_000;

const EXIT_REASONS: Readonly<Record<number, string>> = {
  31: 'its root file system is not ext4 on a disk of its own',
  32: 'its kernel has not seen the new size of its disk within 30 s',
  33: 'resize2fs failed in it',
};

/** A guest that runs, and the size of its disk. */
export interface GrowInput {
  readonly spec: GuestSpec;
  readonly bytes: number;
}

/** Starts the guest if it is off: an undo that could not finish may have left it so, and it is to run. */
async function mustRun(env: StepEnv, spec: GuestSpec): Promise<void> {
  if ((await env.toolstack.findOwn(spec))?.state !== 'running') await bootGuest(env, spec);
}

/** Grows the guest's disk to `bytes` while the guest goes on. Its file system stays as it is. */
export async function growDiskInUse(env: StepEnv, { spec, bytes: asked }: GrowInput): Promise<void> {
  const { storage } = env;
  const bytes = await storage.roundUp(asked);
  // LVM grows no volume that has a snapshot.
  await storage.dropSnapshot(spec);
  const { where, grownFrom } = await storage.find(spec, 'root');
  if (grownFrom !== undefined)
    throw new GuestflowError(
      'ToolFailed',
      `a part of ${where} is not wiped, since an earlier growth was not finished: grow it while the guest is off`,
      { field: 'disk' },
      false,
    );
  await storage.growInUse(spec, bytes);
  const { bytes: now } = await storage.find(spec, 'root');
  if (now < bytes) throw new GuestflowError('ToolFailed', `${where} has ${formatSize(now)} after it was grown to ${formatSize(bytes)}`);
  await mustRun(env, spec);
}

/** Undo of `growDiskInUse`. If the disk has grown, the guest may use all of it already: it is switched off for that, and started again. */
export async function undoGrowInUse(env: StepEnv, { spec, bytes }: GrowInput): Promise<void> {
  await env.storage.dropSnapshot(spec);
  await shrinkDisk(env, { ref: spec, bytes });
  await env.storage.release(spec, 'growth');
  await mustRun(env, spec);
}

/** What is said of a file system that its guest is left to grow. */
function leftTo({ name }: Pick<GuestRef, 'name'>, why: string): FileSystemResult {
  return { left: `the file system of ${name} was not grown: ${why}` };
}

/** Has a guest that runs grow its root file system to its disk, by its provisioning key, and reads the size there. */
export async function growFileSystem(env: StepEnv, { spec, bytes: asked }: GrowInput): Promise<FileSystemResult> {
  const kind = env.kindOf(spec);
  if (await kind.isSealed(spec)) return leftTo(spec, 'it is sealed, so guestflow cannot log in to it');
  const bytes = await env.storage.roundUp(asked);
  env.progress(`growing the file system in ${spec.name}`);
  const result = await kind.run(spec, {
    script: GROW_FS_SCRIPT,
    input: `${bytes}\n`,
    timeoutMs: GROW_LIMIT_MS,
    okCodes: [0, ...Object.keys(EXIT_REASONS).map(Number)],
  });
  const reason = EXIT_REASONS[result.code];
  if (reason !== undefined) return leftTo(spec, reason);
  const { count, blockSize } = sizeIn(result.stdout);
  if (count === undefined || blockSize === undefined) return leftTo(spec, 'it does not say how large it is');
  const has = count * blockSize;
  // resize2fs leaves the rest of a disk unused where a group of blocks would be too small to be of use. A group has as many blocks as a block has bits.
  return has + 8 * blockSize * blockSize >= bytes ? { bytes: has } : leftTo(spec, `it has ${formatSize(has)} of ${formatSize(bytes)}`);
}

/** The guest's answer. It is its tenant's: only whole numbers count. */
function sizeIn(text: string): { readonly count: number | undefined; readonly blockSize: number | undefined } {
  const value = (key: string): number | undefined => {
    const found = new RegExp(`^${key}=(\\d{1,15})$`, 'm').exec(text)?.[1];
    return found === undefined ? undefined : Number(found);
  };
  return { count: value('count'), blockSize: value('size') };
}
