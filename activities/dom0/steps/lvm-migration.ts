/** LVM-migration: volumes of the plan's sizes, the image copied into them, checked and grown (row 14 of the how-to). */
import type { GuestSpec, VolumesResult } from '../../../contract/types.ts';
import { GuestflowError } from '../../../contract/errors.ts';
import { formatSize } from '../../../contract/sizes.ts';
import { copyImage } from '../tools/copy.ts';
import { checkFs, growFs, makeSwap } from '../tools/ext4.ts';
import {
  activateVolume,
  closedVolumes,
  createVolume,
  devicePath,
  listVolumes,
  tagVolume,
  volumeGroup,
  zeroVolume,
  type Volume,
} from '../storage/lvm/lvm.ts';
import { findDomain } from '../toolstack/xl/xl.ts';
import { guestPaths, guestVolumes } from '../guest-paths.ts';
import { isOwner, mustOwn, UNFINISHED_TAG, volumeOwner, volumeTags } from '../marks.ts';
import type { StepEnv } from '../step.ts';
import { discardImage } from './undo.ts';

interface VolumePlan {
  readonly name: string;
  readonly bytes: number;
  readonly what: string;
  /** Puts the content on the zeroed device. */
  readonly fill: (device: string) => Promise<void>;
}

/** A volume that is there, is ours, and is whole. */
function isFinished(volume: Volume | undefined): boolean {
  return volume !== undefined && !volume.tags.includes(UNFINISHED_TAG);
}

/**
 * Makes one volume. It carries the mark "unfinished" from its creation until its content is whole; that mark goes in one `lvchange`.
 * What a killed attempt left unfinished is zeroed and filled again.
 */
async function ensureVolume(env: StepEnv, spec: GuestSpec, plan: VolumePlan): Promise<void> {
  const { host, settings } = env;
  const vg = settings.volumeGroup;
  const there = (await listVolumes(host, vg)).find((volume) => volume.name === plan.name);
  if (there !== undefined) mustOwn(volumeOwner(there), spec, `volume ${vg}/${plan.name}`);
  if (isFinished(there)) return;
  if (there === undefined) {
    await mustHaveRoom(env, plan);
    await createVolume(host, {
      vg,
      name: plan.name,
      bytes: plan.bytes,
      tags: [...volumeTags({ guest: spec.name, order: spec.order }), UNFINISHED_TAG],
    });
  } else {
    // An lvcreate that was killed has left it without a device. Nobody should have one open, and nothing is wiped under somebody's hands.
    for (const volume of await closedVolumes(host, vg, ({ name }) => name === plan.name)) await activateVolume(host, vg, volume);
  }
  const device = devicePath(vg, plan.name);
  // Whoever used these extents before, and whether or not guestflow wiped them then: the next guest reads zeros (promise 6).
  env.progress(`wiping ${device} (${formatSize(plan.bytes)})`);
  await zeroVolume(host, device, {
    bytes: plan.bytes,
    signal: env.signal,
    onProgress: (bytes) => {
      env.progress(`wiping ${device}: ${formatSize(bytes)} of ${formatSize(plan.bytes)}`, bytes / plan.bytes);
    },
  });
  await plan.fill(device);
  await tagVolume(host, vg, plan.name, { add: [], remove: [UNFINISHED_TAG] });
}

async function mustHaveRoom(env: StepEnv, plan: VolumePlan): Promise<void> {
  const group = await volumeGroup(env.host, env.settings.volumeGroup);
  if (group === undefined)
    throw new GuestflowError('HostNotReady', `volume group ${env.settings.volumeGroup} does not exist on ${env.settings.host}`, {
      field: 'volumeGroup',
      mend: `vgcreate ${env.settings.volumeGroup} DEVICE`,
    });
  const short = plan.bytes - group.freeBytes;
  if (short > 0) {
    throw new GuestflowError(
      'NoCapacity',
      `volume group ${group.name} on ${env.settings.host} has ${formatSize(group.freeBytes)} free, ${formatSize(short)} too little for the ${plan.what} of ${formatSize(plan.bytes)}`,
      { field: plan.what },
    );
  }
}

/** Makes the guest's volumes and fills them from its image. The guest is off. */
export async function makeVolumes(env: StepEnv, spec: GuestSpec): Promise<VolumesResult> {
  const { host, settings } = env;
  const paths = guestPaths(settings, spec.name);
  const names = guestVolumes(spec.name);
  const volumes = await listVolumes(host, settings.volumeGroup);
  const ownedAndWhole = (name: string): boolean =>
    volumes.some((volume) => volume.name === name && isOwner(volumeOwner(volume), spec) && isFinished(volume));
  const result: VolumesResult = {
    root: devicePath(settings.volumeGroup, names.root),
    swap: devicePath(settings.volumeGroup, names.swap),
    copiedBytes: spec.diskBytes,
  };
  if (ownedAndWhole(names.root) && ownedAndWhole(names.swap)) return result;
  if ((await findDomain(host, spec.name)) !== undefined)
    throw new GuestflowError('ToolFailed', `${spec.name} runs: its image cannot be copied`);
  const image = await host.files.info(paths.diskImage);
  if (image === undefined)
    throw new GuestflowError('ToolFailed', `${paths.diskImage} is missing: there is nothing to copy into ${result.root}`, {}, false);

  await ensureVolume(env, spec, {
    name: names.root,
    bytes: Math.max(spec.diskBytes, image.bytes),
    what: 'disk',
    fill: async (device) => {
      await checkFs(host, paths.diskImage, { signal: env.signal });
      await copyImage(host, {
        source: paths.diskImage,
        device,
        bytes: image.bytes,
        targetIsZero: true,
        signal: env.signal,
        onProgress: (bytes) => {
          env.progress(`copying the image: ${formatSize(bytes)} of ${formatSize(image.bytes)}`, bytes / image.bytes);
        },
      });
      env.progress(`checking ${device}`);
      await checkFs(host, device, { signal: env.signal });
      await growFs(host, device, { signal: env.signal });
    },
  });
  await ensureVolume(env, spec, {
    name: names.swap,
    bytes: spec.swapBytes,
    what: 'swap',
    fill: async (device) => {
      await makeSwap(host, device);
    },
  });
  return result;
}

/** Removes the image once the guest has answered from its volumes. */
export async function dropImage(env: StepEnv, spec: GuestSpec): Promise<void> {
  const paths = guestPaths(env.settings, spec.name);
  const volumes = await listVolumes(env.host, env.settings.volumeGroup);
  const root = volumes.find((volume) => volume.name === guestVolumes(spec.name).root);
  if (root?.open !== true) throw new GuestflowError('ToolFailed', `${spec.name} does not use its volume: its image stays`, {}, false);
  await discardImage(env, spec);
  env.log.info({ guest: spec.name, path: paths.images }, 'image removed: the guest runs from its volumes');
}
