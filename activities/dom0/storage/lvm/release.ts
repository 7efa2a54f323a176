/** Gives a guest's volumes back to the group, or to its thin pool. Volumes of the group are wiped before that, so that the next guest cannot read them. */
import { GuestflowError } from '../../../../contract/errors.ts';
import { formatSize, GiB, MiB } from '../../../../contract/sizes.ts';
import { isOwner, type Ref } from '../../marks.ts';
import { wipePace } from '../../work.ts';
import type { SideRole } from '../port.ts';
import { activateVolume, closedVolumes, devicePath, removeVolume, renameVolume, tagVolume } from './lvm.ts';
import { zeroVolume } from './wipe.ts';
import type { Volume } from './reports.ts';
import { volumeName, volumesIn, type Pool } from './pool.ts';
import { hasReleasedName, isReleasedName, releasedName } from '../released.ts';
import { tagsWith, volumeOwner, WIPED_TAG } from './tags.ts';

/** A wipe notes its progress every so many bytes: if it is cut short, it goes on from there. */
const WIPE_KEPT_BYTES = 4 * GiB;
const SAMPLE_BYTES = MiB;

/** Renames all volumes first, which frees their names; then wipes each, reads samples back, and removes it. It is slow on purpose: other guests need the disks. */
export async function releaseVolumes(pool: Pool, ref: Ref, role?: SideRole): Promise<void> {
  const { host, vg } = pool;
  const all = await volumesIn(pool);
  const released: string[] = [];
  const own = role === undefined ? undefined : volumeName(ref.name, role);
  const isMeant = (volume: Volume): boolean =>
    isOwner(volumeOwner(volume), ref) && (own === undefined || volume.name === own || hasReleasedName(volume, own));
  for (const { name } of await closedVolumes(host, vg, isMeant)) {
    const to = isReleasedName(name) ? name : releasedName(name, all);
    if (to !== name) await renameVolume(host, vg, name, to);
    released.push(to);
  }
  for (const name of released) {
    // Looked at again, since the wipe of the volume before may have taken hours.
    for (const volume of await closedVolumes(host, vg, (each) => each.name === name)) await giveUp(pool, volume);
    await removeVolume(host, vg, name);
  }
}

/** Makes its content unreadable. A thin pool zeroes a block before it gives it out again, so there the mark is enough that it cannot be brought back. */
async function giveUp(pool: Pool, volume: Volume): Promise<void> {
  if (volume.thinPool === undefined) await wipe(pool, volume);
  else await tagVolume(pool.host, pool.vg, volume.name, { add: [`${WIPED_TAG}0`] });
}

/** Wipes a volume from where an earlier attempt stopped, and reads samples back. */
async function wipe(pool: Pool, volume: Volume): Promise<void> {
  const { host, vg, signal } = pool;
  const { name, bytes: size } = volume;
  const device = devicePath(vg, name);
  await activateVolume(host, vg, volume);
  const begun = wipedTo(volume);
  let tags = tagsWith(volume, WIPED_TAG);
  const mark = async (bytes: number): Promise<void> => {
    const tag = `${WIPED_TAG}${bytes}`;
    await tagVolume(host, vg, name, { add: [tag], remove: tags });
    tags = [tag];
  };
  // Marked before the first byte is wiped: from then on the volume cannot be brought back.
  if (tags.length === 0) await mark(0);
  pool.progress(`wiping ${device} (${formatSize(size)}${begun === 0 ? '' : `, from ${formatSize(begun)} on`})`);
  await zeroVolume(host, device, {
    bytes: size,
    offset: begun,
    ...wipePace(pool.settings),
    signal,
    onProgress: (bytes) => {
      pool.progress(`wiping ${device}: ${formatSize(bytes)}`, bytes / size);
    },
    checkpoint: { everyBytes: WIPE_KEPT_BYTES, reached: mark },
  });
  try {
    await mustReadZeros(pool, device, size, begun);
  } catch (error) {
    // The sample has failed: the next attempt wipes the volume from its start.
    if (!tags.includes(`${WIPED_TAG}0`)) await mark(0);
    throw error;
  }
}

/** Up to which byte the volume is wiped, by its tag; 0 if the tag makes no sense. */
function wipedTo(volume: Volume): number {
  const bytes = Math.min(...tagsWith(volume, WIPED_TAG).map((tag) => Number(tag.slice(WIPED_TAG.length))));
  return Number.isSafeInteger(bytes) && bytes > 0 && bytes < volume.bytes && bytes % MiB === 0 ? bytes : 0;
}

/** Reads the start, the middle and the end of a wiped volume back, and the middle of what earlier attempts had wiped. */
async function mustReadZeros({ host, signal }: Pool, device: string, bytes: number, before: number): Promise<void> {
  const offsets = new Set([0, ...(before === 0 ? [] : [Math.floor(before / 2)]), Math.floor(bytes / 2), bytes - SAMPLE_BYTES]);
  for (const offset of offsets) {
    const { code } = await host.run('cmp', ['--silent', `--bytes=${SAMPLE_BYTES}`, `--ignore-initial=${offset}:0`, device, '/dev/zero'], {
      okCodes: [0, 1],
      signal,
    });
    if (code !== 0)
      throw new GuestflowError('ToolFailed', `${device} is not zero at byte ${offset} after it was wiped: it is not given back`);
  }
}
