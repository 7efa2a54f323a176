/** A guest's disk made larger, and back, while the guest is off (row 15 of the how-to). */
import { setTimeout as sleep } from 'node:timers/promises';
import type { GuestRef } from '../../../contract/types.ts';
import { GuestflowError } from '../../../contract/errors.ts';
import { formatSize } from '../../../contract/sizes.ts';
import { checkFs, fsInfo, growFs, replayJournal, shrinkFs } from '../tools/ext4.ts';
import {
  devicePath,
  extendVolume,
  listVolumes,
  reduceVolume,
  tagVolume,
  volumeGroup,
  zeroVolume,
  type Volume,
} from '../storage/lvm/lvm.ts';
import { guestVolumes } from '../guest-paths.ts';
import { mustOwn, volumeOwner } from '../marks.ts';
import type { StepEnv } from '../step.ts';
import { stopGuest } from './boot.ts';

/** On a volume whose new part may still hold a former tenant's bytes: where that part begins. */
const GROWN_TAG = 'guestflow.grown-from=';
/** The device of a guest that was just switched off is still open for a moment: its backend and udev let go of it. */
const CLOSING_LIMIT_MS = 10_000;
const POLL_MS = 500;

export interface ResizeInput {
  readonly ref: GuestRef;
  readonly bytes: number;
}

async function rootVolume(env: StepEnv, ref: GuestRef): Promise<Volume> {
  const { root } = guestVolumes(ref.name);
  const volume = (await listVolumes(env.host, env.settings.volumeGroup)).find(({ name }) => name === root);
  if (volume === undefined) throw new GuestflowError('NotFound', `${ref.name} has no volume ${env.settings.volumeGroup}/${root}`);
  mustOwn(volumeOwner(volume), ref, `volume ${env.settings.volumeGroup}/${root}`);
  return volume;
}

/** What a volume of so many bytes has: LVM rounds it up to whole extents, which may be larger than what orders are made of. */
async function inExtents(env: StepEnv, bytes: number): Promise<number> {
  const extent = (await volumeGroup(env.host, env.settings.volumeGroup))?.extentBytes ?? 1;
  return Math.ceil(bytes / extent) * extent;
}

async function mustHaveRoom(env: StepEnv, more: number): Promise<void> {
  const free = (await volumeGroup(env.host, env.settings.volumeGroup))?.freeBytes ?? 0;
  if (more > free)
    throw new GuestflowError(
      'NoCapacity',
      `volume group ${env.settings.volumeGroup} has ${formatSize(free)} free, ${formatSize(more - free)} too little to grow the disk`,
      { field: 'disk' },
    );
}

/**
 * Switches the guest off, since xendomains may have started it again after a power cut. Then nobody may have the volume open: a domain of another
 * name to which somebody has attached it, to rescue something, does not hold it exclusively, and e2fsck would run beside a live mount.
 */
async function atRest(env: StepEnv, ref: GuestRef): Promise<Volume> {
  await stopGuest(env, ref);
  const deadline = performance.now() + CLOSING_LIMIT_MS;
  for (;;) {
    const volume = await rootVolume(env, ref);
    if (!volume.open) return volume;
    if (performance.now() + POLL_MS > deadline)
      throw new GuestflowError(
        'ToolFailed',
        `volume ${env.settings.volumeGroup}/${volume.name} is in use though ${ref.name} is off: another domain or a mount has it`,
        { field: 'disk' },
      );
    await sleep(POLL_MS, undefined, { signal: env.signal });
  }
}

interface Extent {
  readonly end: number;
  readonly isClean: boolean;
}

/** Where the file system ends. What its journal still holds can be that it was grown. */
async function extentOfFs({ host, signal }: StepEnv, device: string): Promise<Extent> {
  let info = await fsInfo(host, device);
  if (info.features.includes('needs_recovery')) {
    await replayJournal(host, device, { signal });
    info = await fsInfo(host, device);
  }
  return { end: info.blocks * info.blockSize, isClean: info.state === 'clean' };
}

/**
 * Grows the volume and its file system to `bytes`. The new part is wiped before the guest can read it.
 *
 * The check comes first: with a file system that e2fsck does not mend, which root in the guest can make at any time, nothing has changed yet.
 */
export async function growDisk(env: StepEnv, { ref, bytes: asked }: ResizeInput): Promise<void> {
  const {
    host,
    settings: { volumeGroup: vg },
  } = env;
  const bytes = await inExtents(env, asked);
  const before = await rootVolume(env, ref);
  if (bytes < before.bytes)
    throw new GuestflowError(
      'InvalidInput',
      `the disk of ${ref.name} has ${formatSize(before.bytes)}; it cannot become smaller (${formatSize(asked)})`,
      { field: 'disk' },
    );
  const volume = await atRest(env, ref);
  const device = devicePath(vg, volume.name);
  const begun = volume.tags.find((tag) => tag.startsWith(GROWN_TAG));
  const from = begun === undefined ? volume.bytes : Number(begun.slice(GROWN_TAG.length));
  const mark = `${GROWN_TAG}${String(from)}`;
  env.progress(`checking the file system on ${device}`);
  await checkFs(host, device, { signal: env.signal });
  const { end } = await extentOfFs(env, device);
  if (bytes > volume.bytes) {
    await mustHaveRoom(env, bytes - volume.bytes);
    if (begun === undefined) await tagVolume(host, vg, volume.name, { add: [mark] });
    await extendVolume(host, vg, volume.name, bytes);
  }
  if (end > from)
    env.log.warn(
      { guest: ref.name, device },
      `${ref.name} has run on a part of its disk that was not wiped, and has grown its file system to ${formatSize(end)}: that much stays as it is`,
    );
  const unwiped = Math.max(from, end);
  if (bytes > unwiped) {
    env.progress(`wiping the new part of ${device}`);
    await zeroVolume(host, device, { bytes, offset: unwiped, signal: env.signal });
  }
  if (bytes > from) await tagVolume(host, vg, volume.name, { remove: [mark] });
  env.progress(`growing the file system on ${device}`);
  await growFs(host, device, { signal: env.signal });
}

/** Undo of growing: the file system and the volume back to `bytes`, the part that goes wiped. */
export async function shrinkDisk(env: StepEnv, { ref, bytes: asked }: ResizeInput): Promise<void> {
  const {
    host,
    settings: { volumeGroup: vg },
  } = env;
  const bytes = await inExtents(env, asked);
  const volume = await rootVolume(env, ref);
  const marks = volume.tags.filter((tag) => tag.startsWith(GROWN_TAG));
  if (volume.bytes > bytes) {
    await atRest(env, ref);
    const device = devicePath(vg, volume.name);
    const { end, isClean } = await extentOfFs(env, device);
    // One that was not grown yet fits, and needs no mending, which might not be possible. A mark says that resize2fs has not begun; one that was
    // ended in the middle leaves a file system that is not clean, of the old size, with data behind its end.
    if (end > bytes || (marks.length === 0 && !isClean)) {
      await checkFs(host, device, { signal: env.signal });
      await shrinkFs(host, device, bytes, { signal: env.signal });
    }
    await zeroVolume(host, device, { bytes: volume.bytes, offset: bytes, signal: env.signal });
    await reduceVolume(host, vg, volume.name, bytes);
  }
  await tagVolume(host, vg, volume.name, { remove: marks });
}
