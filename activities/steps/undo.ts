/**
 * The undo of each step. Each is safe when its step never ran, when it ran half, and when the undo itself already ran.
 * Each removes only what carries this guest's and this order's mark.
 */
import { dirname } from 'node:path';
import type { GuestRef } from '../../contract/types.ts';
import { GuestflowError } from '../../contract/errors.ts';
import { formatSize, MiB } from '../../contract/sizes.ts';
import { devicePath, listVolumes, removeVolume, renameVolume, zeroVolume, type Volume } from '../host/lvm.ts';
import { detachLoop, loopDevicesOf } from '../host/loop.ts';
import { clearHalfMade } from '../host/xen-tools.ts';
import { findDomain } from '../host/xl.ts';
import { guestPaths, guestVolumes } from '../guest-paths.ts';
import { removeMarkedDirectory, removeParts } from '../half-made.ts';
import { cfgOwner, isOwner, MARKER_FILE, markerOwner, volumeOwner } from '../marks.ts';
import type { StepEnv } from '../step.ts';

/** Prefix of volumes on their way out: the guest's name is free at once, the capacity when they are wiped. */
export const RELEASED_PREFIX = 'del-';

/** Nothing is ever taken from under a domain, dying ones included. */
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
  if ((await files.readLink(paths.autostart)) === paths.cfg) await files.remove(paths.autostart);
  await files.remove(paths.cfg);
}

/** The guest's volumes under their own names and under those they have on their way out. */
async function volumesOf(env: StepEnv, ref: GuestRef): Promise<Volume[]> {
  return (await listVolumes(env.host, env.settings.volumeGroup)).filter((volume) => isOwner(volumeOwner(volume), ref));
}

/** Undo of backup: its snapshot. */
export async function removeSnapshot(env: StepEnv, ref: GuestRef): Promise<void> {
  const name = guestVolumes(ref.name).snapshot;
  const snapshot = (await volumesOf(env, ref)).find((volume) => volume.name === name);
  if (snapshot !== undefined) await removeVolume(env.host, env.settings.volumeGroup, name);
}

/**
 * Undo of LVM-migration: snapshots, then volumes: renamed (the name is free), wiped, read back by sample, removed.
 * Wiping before the extents return to the group is what keeps the next guest from reading them. Nobody waits for it: it leaves the disks to
 * the guests.
 */
export async function removeVolumes(env: StepEnv, ref: GuestRef): Promise<void> {
  const { volumeGroup: vg, wipeMiBPerSecond: rate } = env.settings;
  await removeSnapshot(env, ref);
  const volumes = await volumesOf(env, ref);
  if (volumes.length > 0) await mustBeOff(env, ref);
  for (const volume of volumes) {
    const name = volume.name.startsWith(RELEASED_PREFIX) ? volume.name : `${RELEASED_PREFIX}${volume.name}`;
    if (name !== volume.name) await renameVolume(env.host, vg, volume.name, name);
    const device = devicePath(vg, name);
    env.progress(`wiping ${device} (${formatSize(volume.bytes)})`);
    await zeroVolume(env.host, device, {
      bytes: volume.bytes,
      ...(rate === 0 ? {} : { pace: { bytesPerSecond: rate * MiB } }),
      signal: env.signal,
      onProgress: (bytes) => {
        env.progress(`wiping ${device}: ${formatSize(bytes)}`, bytes / volume.bytes);
      },
    });
    await mustReadZeros(env, device, volume.bytes);
    await removeVolume(env.host, vg, name);
  }
}

const SAMPLE_BYTES = 1024 * 1024;

/** Reads the start, the middle and the end of a wiped volume back. */
async function mustReadZeros(env: StepEnv, device: string, bytes: number): Promise<void> {
  for (const offset of [0, Math.floor(bytes / 2), bytes - SAMPLE_BYTES]) {
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

/** The last of all: keys and records of the guest on this dom0. */
export async function removeGuestState(env: StepEnv, ref: GuestRef): Promise<void> {
  await removeMarkedDirectory(env.host.files, guestPaths(env.settings, ref.name).state, ref);
}
