/**
 * The undo of each step. Each is safe when its step never ran, when it ran half, and when the undo itself already ran.
 * Each removes only what carries this guest's and this order's mark.
 */
import { dirname } from 'node:path';
import type { GuestRef } from '../../../contract/types.ts';
import { GuestflowError } from '../../../contract/errors.ts';
import { formatSize, GiB, MiB } from '../../../contract/sizes.ts';
import {
  activateVolume,
  closedVolumes,
  devicePath,
  listVolumes,
  removeVolume,
  renameVolume,
  tagVolume,
  zeroVolume,
  type Volume,
} from '../storage/lvm/lvm.ts';
import { detachLoop, loopDevicesOf } from '../tools/loop.ts';
import { clearHalfMade } from '../images/xen-tools.ts';
import { findDomain } from '../toolstack/xl/xl.ts';
import { guestPaths, guestVolumes } from '../guest-paths.ts';
import { removeMarkedDirectory, removeParts } from '../staging.ts';
import { cfgOwner, isOwner, MARKER_FILE, markerOwner, volumeOwner } from '../marks.ts';
import { wipeSaved } from '../toolstack/xl/saved-states.ts';
import type { StepEnv } from '../step.ts';

/** Prefix of volumes on their way out: the guest's name is free at once, the capacity when they are wiped. */
const RELEASED_PREFIX = 'del-';

/** On a volume whose wipe has begun: up to which byte it is zeroed. Such a volume is never used again. */
const WIPED_TAG = 'guestflow.wiped-to=';
/** After so many bytes a wipe that is cut short begins again. */
const WIPE_KEPT_BYTES = 4 * GiB;

/** The name of a volume on its way out: `del-NAME`, and `del-NAME.2` and so on where an earlier order of this name has left one. */
export function releasedName(name: string, volumes: readonly Volume[]): string {
  const plain = `${RELEASED_PREFIX}${name}`;
  const isTaken = (candidate: string): boolean => volumes.some((volume) => volume.name === candidate);
  if (!isTaken(plain)) return plain;
  let number = 2;
  while (isTaken(`${plain}.${String(number)}`)) number += 1;
  return `${plain}.${String(number)}`;
}

/** Whether a volume was `name` before it was released. */
export function hasReleasedName(volume: Volume, name: string): boolean {
  const plain = `${RELEASED_PREFIX}${name}`;
  return volume.name === plain || (volume.name.startsWith(`${plain}.`) && /^\d+$/.test(volume.name.slice(plain.length + 1)));
}

function wipeTags(volume: Volume): string[] {
  return volume.tags.filter((tag) => tag.startsWith(WIPED_TAG));
}

export function isWipeBegun(volume: Volume): boolean {
  return wipeTags(volume).length > 0;
}

/**
 * Nothing is ever taken from under a domain, dying ones included. One that is taken apart has often lost its name (`(null)`) and is not found
 * here: what it still holds of disks is seen by `closedVolumes`.
 */
export async function mustBeOff(env: StepEnv, ref: GuestRef): Promise<void> {
  if ((await findDomain(env.host, ref.name)) !== undefined)
    throw new GuestflowError('ToolFailed', `domain ${ref.name} is still in xl list: its disks and its cfg stay until it has gone`);
}

/** Undo of create-image: the image, whole or half made. The guest is off. */
export async function removeImage(env: StepEnv, ref: GuestRef): Promise<void> {
  if (await hasImage(env, ref)) await mustBeOff(env, ref);
  await discardImage(env, ref);
}

async function hasImage(env: StepEnv, ref: GuestRef): Promise<boolean> {
  const { images } = guestPaths(env.settings, ref.name);
  return isOwner(markerOwner(await env.host.files.read(`${images}/${MARKER_FILE}`)), ref);
}

/** Removes the image of a guest that does not use it. */
export async function discardImage(env: StepEnv, ref: GuestRef): Promise<void> {
  const { host } = env;
  const paths = guestPaths(env.settings, ref.name);
  // Ours by its place, in a directory that only guestflow makes: the mark comes into it last.
  await clearHalfMade(host, paths.unfinishedImages);
  await host.files.removeTree(paths.unfinishedImages);
  if (!(await hasImage(env, ref))) return;
  for (const image of [paths.diskImage, paths.swapImage]) {
    for (const device of await loopDevicesOf(host, image)) await detachLoop(host, device);
  }
  // By another name first, under which a removal that was cut short is found again.
  await host.files.makeDirectory(dirname(paths.unfinishedImages));
  await host.files.rename(paths.images, paths.unfinishedImages);
  await host.files.removeTree(paths.unfinishedImages);
}

/** Undo of cfg-fix and autostart: the cfg and the link to it. */
export async function removeCfg(env: StepEnv, ref: GuestRef): Promise<void> {
  const { files } = env.host;
  const paths = guestPaths(env.settings, ref.name);
  await removeParts(files, paths.cfg);
  const cfg = await files.read(paths.cfg);
  if (cfg === undefined || !isOwner(cfgOwner(cfg), ref)) return;
  // By its cfg a domain is known as ours: without it, nobody could ever end it.
  await mustBeOff(env, ref);
  await wipeMemory(env, ref);
  if ((await files.readLink(paths.autostart)) === paths.cfg) await files.remove(paths.autostart);
  await files.remove(paths.cfg);
}

/** The guest's volumes under their own names and under those they have on their way out. */
async function volumesOf(env: StepEnv, ref: GuestRef): Promise<Volume[]> {
  return (await listVolumes(env.host, env.settings.volumeGroup)).filter((volume) => isOwner(volumeOwner(volume), ref));
}

/** Undo of backup: its snapshot. */
export async function removeSnapshot(env: StepEnv, ref: GuestRef): Promise<void> {
  const { volumeGroup: vg } = env.settings;
  const name = guestVolumes(ref.name).snapshot;
  const volumes = await volumesOf(env, ref);
  // A snapshot that was being made or removed when its tool was killed leaves its origin suspended: the guest would wait for its disk for ever.
  for (const volume of volumes) if (volume.state === 'suspended' && volume.name !== name) await activateVolume(env.host, vg, volume);
  if (volumes.some((volume) => volume.name === name)) await removeVolume(env.host, vg, name);
}

/** A snapshot that somebody made of the guest's volume would be spoilt by a wipe, and removed with its origin. */
export function mustHaveOwnSnapshotsOnly(env: StepEnv, ref: GuestRef, volumes: readonly Volume[]): void {
  const { volumeGroup: vg } = env.settings;
  const isOwn = (volume: Volume): boolean => isOwner(volumeOwner(volume), ref);
  const own = new Set(volumes.filter(isOwn).map(({ name }) => name));
  const foreign = volumes.find((volume) => volume.origin !== undefined && own.has(volume.origin) && !isOwn(volume));
  if (foreign === undefined) return;
  throw new GuestflowError(
    'NotOurs',
    `${vg}/${foreign.name} is a snapshot of ${vg}/${foreign.origin ?? ''} and not this order's: it would go with its origin. Copy what is needed of it, remove it (lvremove ${vg}/${foreign.name}), then try again.`,
    { field: 'name', value: ref.name },
  );
}

/**
 * Undo of LVM-migration: snapshots, then volumes: all renamed (the name is free), then each wiped, read back by sample, removed.
 * Wiping before the extents return to the group is what keeps the next guest from reading them. Nobody waits for it: it leaves the disks to
 * the guests.
 */
export async function removeVolumes(env: StepEnv, ref: GuestRef): Promise<void> {
  const { volumeGroup: vg } = env.settings;
  const all = await listVolumes(env.host, vg);
  mustHaveOwnSnapshotsOnly(env, ref, all);
  await wipeMemory(env, ref);
  await removeSnapshot(env, ref);
  const { snapshot } = guestVolumes(ref.name);
  if (all.some((volume) => isOwner(volumeOwner(volume), ref) && volume.name !== snapshot)) await mustBeOff(env, ref);
  const released: string[] = [];
  for (const { name } of await closedVolumes(env.host, vg, (volume) => isOwner(volumeOwner(volume), ref))) {
    const to = name.startsWith(RELEASED_PREFIX) ? name : releasedName(name, all);
    if (to !== name) await renameVolume(env.host, vg, name, to);
    released.push(to);
  }
  for (const name of released) {
    // Looked at again: the wipe of the one before may have taken hours.
    for (const volume of await closedVolumes(env.host, vg, (each) => each.name === name)) await wipe(env, volume);
    await removeVolume(env.host, vg, name);
  }
}

/** What xendomains has saved of the guest's memory goes as its disks do: overwritten, at the same pace. */
async function wipeMemory(env: StepEnv, ref: GuestRef): Promise<void> {
  const { wipeMiBPerSecond: rate } = env.settings;
  await wipeSaved(env.host, ref, { signal: env.signal, ...(rate === 0 ? {} : { pace: { bytesPerSecond: rate * MiB } }) });
}

/** Wipes a volume from where an attempt before this one had come to, and reads it back by sample. */
async function wipe(env: StepEnv, volume: Volume): Promise<void> {
  const { volumeGroup: vg, wipeMiBPerSecond: rate } = env.settings;
  const { name, bytes: size } = volume;
  const device = devicePath(vg, name);
  await activateVolume(env.host, vg, volume);
  const begun = wipedTo(volume);
  let tags = wipeTags(volume);
  const mark = async (bytes: number): Promise<void> => {
    const tag = `${WIPED_TAG}${String(bytes)}`;
    await tagVolume(env.host, vg, name, { add: [tag], remove: tags });
    tags = [tag];
  };
  // Before the first byte goes, so that nobody takes the volume back after that.
  if (!isWipeBegun(volume)) await mark(0);
  env.progress(`wiping ${device} (${formatSize(size)}${begun === 0 ? '' : `, from ${formatSize(begun)} on`})`);
  await zeroVolume(env.host, device, {
    bytes: size,
    offset: begun,
    ...(rate === 0 ? {} : { pace: { bytesPerSecond: rate * MiB } }),
    signal: env.signal,
    onProgress: (bytes) => {
      env.progress(`wiping ${device}: ${formatSize(bytes)}`, bytes / size);
    },
    checkpoint: { everyBytes: WIPE_KEPT_BYTES, reached: mark },
  });
  try {
    await mustReadZeros(env, device, size, begun);
  } catch (error) {
    // What earlier attempts had wiped is not believed again.
    if (!tags.includes(`${WIPED_TAG}0`)) await mark(0);
    throw error;
  }
}

/** Up to where a volume is wiped, by its tag; 0 when that cannot be. */
function wipedTo(volume: Volume): number {
  const bytes = Math.min(...wipeTags(volume).map((tag) => Number(tag.slice(WIPED_TAG.length))));
  return Number.isSafeInteger(bytes) && bytes > 0 && bytes < volume.bytes && bytes % MiB === 0 ? bytes : 0;
}

const SAMPLE_BYTES = 1024 * 1024;

/** Reads the start, the middle and the end of a wiped volume back, and the middle of what earlier attempts had wiped. */
async function mustReadZeros(env: StepEnv, device: string, bytes: number, before: number): Promise<void> {
  const offsets = new Set([0, ...(before === 0 ? [] : [Math.floor(before / 2)]), Math.floor(bytes / 2), bytes - SAMPLE_BYTES]);
  for (const offset of offsets) {
    const { code } = await env.host.run(
      'cmp',
      ['--silent', `--bytes=${String(SAMPLE_BYTES)}`, `--ignore-initial=${String(offset)}:0`, device, '/dev/zero'],
      { okCodes: [0, 1], signal: env.signal },
    );
    if (code !== 0)
      throw new GuestflowError('ToolFailed', `${device} is not zero at byte ${String(offset)} after it was wiped: it is not given back`);
  }
}

/** Undo of the first backup: what was taken of this order. */
export async function removeBackups(env: StepEnv, ref: GuestRef): Promise<void> {
  await removeMarkedDirectory(env.host.files, guestPaths(env.settings, ref.name).backups, ref);
}

/** The last of all: keys and records of the guest on this dom0, and what is left of its saved memory. */
export async function removeGuestState(env: StepEnv, ref: GuestRef): Promise<void> {
  await wipeMemory(env, ref);
  await removeMarkedDirectory(env.host.files, guestPaths(env.settings, ref.name).state, ref);
}
