/** A guest's disk made larger, and back, while the guest is off (row 15 of the how-to). */
import type { GuestRef } from '../../../contract/guest.ts';
import { GuestflowError } from '../../../contract/errors.ts';
import { formatSize, MiB } from '../../../contract/sizes.ts';
import { until } from '../../../system/until.ts';
import type { StepEnv } from '../env.ts';
import { FileSystem } from '../guests/file-system.ts';
import type { Disk } from '../storage/port.ts';
import { stopGuest } from './boot.ts';

/** After a guest is switched off, its backend and udev have its device open for a moment. */
const CLOSING_LIMIT_MS = 10_000;
const POLL_MS = 500;

/** Room beside the content of a file system that is made smaller: this part of it, and at least so much. */
const SPARE_PART = 0.05;
const LEAST_SPARE_BYTES = 64 * MiB;

export interface ResizeInput {
  readonly ref: GuestRef;
  readonly bytes: number;
}

/**
 * Switches the guest off, since xendomains may have started it again after a power cut. Then nobody may have the disk open. Somebody may have attached it
 * to another domain, to rescue something: such a domain does not hold it exclusively, so e2fsck would run beside a live mount.
 */
export async function atRest(env: StepEnv, ref: GuestRef): Promise<Disk> {
  await stopGuest(env, ref);
  let where = '';
  const look = async (): Promise<Disk | undefined> => {
    const disk = await env.storage.find(ref, 'root');
    ({ where } = disk);
    return disk.open ? undefined : disk;
  };
  const disk = await until(look, { everyMs: POLL_MS, limitMs: CLOSING_LIMIT_MS, signal: env.signal });
  if (disk !== undefined) return disk;
  throw new GuestflowError('ToolFailed', `${where} is in use though ${ref.name} is off: another domain or a mount has it`, {
    field: 'disk',
  });
}

/**
 * Grows the disk and its file system to `bytes`. The new part is wiped before the guest can read it.
 *
 * The check comes first: root in the guest can make a file system that e2fsck does not mend; then nothing has changed yet.
 */
export async function growDisk(env: StepEnv, { ref, bytes: asked }: ResizeInput): Promise<void> {
  const { storage } = env;
  const bytes = await storage.roundUp(asked);
  const before = await storage.find(ref, 'root');
  if (bytes < before.bytes)
    throw new GuestflowError(
      'InvalidInput',
      `the disk of ${ref.name} has ${formatSize(before.bytes)}; it cannot become smaller (${formatSize(asked)})`,
      { field: 'disk' },
    );
  const disk = await atRest(env, ref);
  const from = disk.grownFrom ?? disk.bytes;
  const fs = new FileSystem(env, disk.device);
  await fs.check();
  const { end } = await fs.extent();
  if (bytes > disk.bytes) await storage.grow(disk, bytes);
  if (end > from)
    env.log.warn(
      { guest: ref.name, device: disk.device },
      `${ref.name} has run on a part of its disk that was not wiped, and has grown its file system to ${formatSize(end)}: that much stays as it is`,
    );
  if (bytes > from) await storage.finishGrowing({ ...disk, grownFrom: from }, Math.max(from, end), bytes);
  await fs.grow();
}

/** @throws InvalidInput with both sizes when the content of a file system needs more than it is to get */
async function mustFit({ storage }: StepEnv, name: string, bytes: number, fs: FileSystem): Promise<void> {
  const content = await fs.least();
  // What resize2fs says is an estimate, and a file system without free space is of no use to its guest.
  const least = await storage.roundUp(content + Math.max(LEAST_SPARE_BYTES, content * SPARE_PART));
  if (bytes >= least) return;
  throw new GuestflowError(
    'InvalidInput',
    `the disk of ${name} cannot become ${formatSize(bytes)}: its file system needs ${formatSize(content)}, with some room to spare at least ${formatSize(least)}`,
    { field: 'disk', value: formatSize(bytes), mend: `free space in the guest, or ask for ${formatSize(least)} or more` },
  );
}

/**
 * Looks on a snapshot, while the guest goes on, whether its disk can be made as small as this: so a refusal costs nothing.
 *
 * @throws InvalidInput when it does not fit, ToolError when e2fsck does not mend the file system
 */
export async function tryReducing(env: StepEnv, { ref, bytes: asked }: ResizeInput): Promise<void> {
  const { storage } = env;
  const bytes = await storage.roundUp(asked);
  try {
    const fs = new FileSystem(env, (await storage.snapshot(ref)).device);
    await fs.check();
    if ((await fs.extent()).end > bytes) await mustFit(env, ref.name, bytes, fs);
  } finally {
    await storage.dropSnapshot(ref);
  }
}

/**
 * Makes the disk and its file system smaller. The disk is cut last, when the file system has been looked through at its new size: killed at any instruction
 * before that, all content is on the disk, which has its former size. What is cut off is wiped before. Undo: `growDisk`.
 */
export async function reduceDisk(env: StepEnv, { ref, bytes: asked }: ResizeInput): Promise<void> {
  const { storage } = env;
  const bytes = await storage.roundUp(asked);
  // Also resumes a device that a killed lvreduce has left suspended.
  await storage.dropSnapshot(ref);
  const before = await storage.find(ref, 'root');
  if (before.bytes <= bytes) {
    // An undo that could not finish has left a mark of a growth that it did not come to.
    if (before.grownFrom === before.bytes) await storage.settle(before);
    return;
  }
  const disk = await atRest(env, ref);
  const fs = new FileSystem(env, disk.device);
  await fs.check();
  const { end } = await fs.extent();
  // An earlier attempt may have shrunk it.
  if (end > bytes) {
    await mustFit(env, ref.name, bytes, fs);
    await fs.shrink(bytes);
  }
  await fs.verify();
  // A growth that was cut short has left a part that was not wiped.
  if (disk.grownFrom !== undefined) await storage.finishGrowing(disk, Math.max(disk.grownFrom, Math.min(end, bytes)), disk.bytes);
  await storage.shrink(disk, bytes);
}

/** Undo of growing: shrinks the file system and the disk back to `bytes`, and wipes the part that is given back. */
export async function shrinkDisk(env: StepEnv, { ref, bytes: asked }: ResizeInput): Promise<void> {
  const { storage } = env;
  const bytes = await storage.roundUp(asked);
  const disk = await storage.find(ref, 'root');
  if (disk.bytes > bytes) {
    await atRest(env, ref);
    const fs = new FileSystem(env, disk.device);
    const { end, isClean } = await fs.extent();
    // If the file system was not grown yet it fits, and is not checked, since the check might fail. A mark says that resize2fs has not begun. If resize2fs was
    // killed, the file system is not clean and has its old size, with data behind its end.
    if (end > bytes || (disk.grownFrom === undefined && !isClean)) {
      await fs.check();
      await fs.shrink(bytes);
    }
    await storage.shrink(disk, bytes);
  }
  await storage.settle(disk);
}
