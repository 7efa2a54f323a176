/** A guest's disk made larger, and back: the guest is off (row 15 of the how-to). */
import type { GuestRef } from '../../contract/types.ts';
import { GuestflowError } from '../../contract/errors.ts';
import { formatSize } from '../../contract/sizes.ts';
import { checkFs, growFs, shrinkFs } from '../host/ext4.ts';
import { devicePath, extendVolume, listVolumes, reduceVolume, tagVolume, volumeGroup, zeroVolume, type Volume } from '../host/lvm.ts';
import { guestVolumes } from '../guest-paths.ts';
import { mustOwn, volumeOwner } from '../marks.ts';
import type { StepEnv } from '../step.ts';
import { mustBeOff } from './undo.ts';

/** On a volume whose new part may still hold a former tenant's bytes: where that part begins. */
const GROWN_TAG = 'guestflow.grown-from=';

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

async function mustHaveRoom(env: StepEnv, more: number): Promise<void> {
  const free = (await volumeGroup(env.host, env.settings.volumeGroup))?.freeBytes ?? 0;
  if (more > free)
    throw new GuestflowError(
      'NoCapacity',
      `volume group ${env.settings.volumeGroup} has ${formatSize(free)} free, ${formatSize(more - free)} too little to grow the disk`,
      { field: 'disk' },
    );
}

/** Grows the volume and its file system to `bytes`. The new part is wiped before the guest can read it. */
export async function growDisk(env: StepEnv, { ref, bytes }: ResizeInput): Promise<void> {
  const {
    host,
    settings: { volumeGroup: vg },
  } = env;
  await mustBeOff(env, ref);
  const volume = await rootVolume(env, ref);
  if (bytes < volume.bytes)
    throw new GuestflowError(
      'InvalidInput',
      `the disk of ${ref.name} has ${formatSize(volume.bytes)}; it cannot become smaller (${formatSize(bytes)})`,
      { field: 'disk' },
    );
  const device = devicePath(vg, volume.name);
  const begun = volume.tags.find((tag) => tag.startsWith(GROWN_TAG));
  const from = begun === undefined ? volume.bytes : Number(begun.slice(GROWN_TAG.length));
  if (bytes > volume.bytes) {
    await mustHaveRoom(env, bytes - volume.bytes);
    if (begun === undefined) await tagVolume(host, vg, volume.name, { add: [`${GROWN_TAG}${String(from)}`] });
    await extendVolume(host, vg, volume.name, bytes);
  }
  if (bytes > from) {
    env.progress(`wiping the new part of ${device}`);
    await zeroVolume(host, device, { bytes, offset: from, signal: env.signal });
    await tagVolume(host, vg, volume.name, { remove: [`${GROWN_TAG}${String(from)}`] });
  }
  env.progress(`growing the file system on ${device}`);
  await checkFs(host, device, { signal: env.signal });
  await growFs(host, device, { signal: env.signal });
}

/** Undo of growing: the file system and the volume back to `bytes`, the part that goes wiped. */
export async function shrinkDisk(env: StepEnv, { ref, bytes }: ResizeInput): Promise<void> {
  const {
    host,
    settings: { volumeGroup: vg },
  } = env;
  await mustBeOff(env, ref);
  const volume = await rootVolume(env, ref);
  const marks = volume.tags.filter((tag) => tag.startsWith(GROWN_TAG));
  if (volume.bytes > bytes) {
    const device = devicePath(vg, volume.name);
    await checkFs(host, device, { signal: env.signal });
    await shrinkFs(host, device, bytes, { signal: env.signal });
    await zeroVolume(host, device, { bytes: volume.bytes, offset: bytes, signal: env.signal });
    await reduceVolume(host, vg, volume.name, bytes);
  }
  await tagVolume(host, vg, volume.name, { remove: marks });
}
