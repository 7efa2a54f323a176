/** What the parts of the LVM driver share: the volume group, the guest's volumes in it, and the step that they work for. */
import { GuestflowError } from '../../../../contract/errors.ts';
import { isOwner, mustOwn, type Ref } from '../../marks.ts';
import type { Work } from '../../work.ts';
import type { Disk, DiskRole } from '../port.ts';
import { devicePath } from './lvm.ts';
import { listVolumes, type Volume } from './reports.ts';
import { isReleasedName } from '../released.ts';
import { GROWN_TAG, TEMPLATE_TAG, tagsWith, UNFINISHED_TAG, volumeOwner, WIPED_TAG } from './tags.ts';

/** A volume group and the work that is done on it. */
export interface Pool extends Work {
  readonly vg: string;
  /** The thin pool of the group that new volumes come from. Undefined: they take extents of the group. */
  readonly thinPool: string | undefined;
}

export function volumeName(guest: string, role: DiskRole | 'backup'): string {
  return `${guest}-${role}`;
}

/** The name of what a volume takes its room from, as ledgers have it. */
export function poolNameOf(vg: string, thinPool: string | undefined): string {
  return thinPool === undefined ? vg : `${vg}/${thinPool}`;
}

/** The thin pool that a disk lies in; undefined: it has extents of the group. */
export function thinPoolOfDisk(vg: string, { pool }: Pick<Disk, 'pool'>): string | undefined {
  return pool === vg ? undefined : pool.slice(vg.length + 1);
}

/** How a volume is told to people. */
export function whereOf(vg: string, name: string): string {
  return `volume ${vg}/${name}`;
}

export async function volumesIn({ host, vg }: Pool): Promise<Volume[]> {
  return await listVolumes(host, vg);
}

/** The volumes that carry the guest's mark. */
export function ownedBy(ref: Ref, volumes: readonly Volume[]): Volume[] {
  return volumes.filter((volume) => isOwner(volumeOwner(volume), ref));
}

/**
 * The guest's volume of this role among these.
 *
 * @throws NotFound, NotOurs
 */
export function mustOwnVolume(vg: string, ref: Ref, role: DiskRole, volumes: readonly Volume[]): Volume {
  const name = volumeName(ref.name, role);
  const volume = volumes.find((each) => each.name === name);
  if (volume === undefined) throw new GuestflowError('NotFound', `${ref.name} has no ${whereOf(vg, name)}`);
  mustOwn(volumeOwner(volume), ref, whereOf(vg, name));
  return volume;
}

function stateOf(volume: Volume): Disk['state'] {
  if (tagsWith(volume, WIPED_TAG).length > 0) return 'wiping';
  if (isReleasedName(volume.name)) return 'set aside';
  return volume.tags.includes(UNFINISHED_TAG) ? 'unfinished' : 'whole';
}

/** A volume as the steps see it. */
export function diskOf(vg: string, volume: Volume): Disk {
  const [grown] = tagsWith(volume, GROWN_TAG);
  return {
    name: volume.name,
    where: volume.tags.includes(TEMPLATE_TAG) ? `template ${vg}/${volume.name} of guestflow's` : whereOf(vg, volume.name),
    owner: volumeOwner(volume),
    pool: poolNameOf(vg, volume.thinPool),
    bytes: volume.bytes,
    state: stateOf(volume),
    open: volume.open,
    device: devicePath(vg, volume.name),
    ...(grown === undefined ? {} : { grownFrom: Number(grown.slice(GROWN_TAG.length)) }),
  };
}
