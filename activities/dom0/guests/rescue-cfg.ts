/** What the cfg of a rescue system has otherwise than the guest's own. Pure. */
import { GuestflowError } from '../../../contract/errors.ts';
import type { GuestSpec } from '../../../contract/guest.ts';
import type { CfgChange, ShownCfg } from '../../../xlcfg/index.ts';
import type { CfgWish } from './port.ts';

/** Whole disks, since a guest's root disk holds a file system and no partitions. `xvda` is taken by the rescue system's own. */
const VDEVS = ['b', 'c', 'd', 'e', 'f', 'g', 'h', 'i', 'j', 'k'].map((letter) => `xvd${letter}`);

/** The first whole disk that the cfg has neither as such nor by a partition. */
export function freeVdev({ disks }: ShownCfg): string {
  const free = VDEVS.find((vdev) => !disks.some((disk) => disk.vdev?.startsWith(vdev) === true));
  if (free === undefined)
    throw new GuestflowError('ToolFailed', 'the cfg of the guest has no place for one disk more', { field: 'cfg' }, false);
  return free;
}

/** The disks of the cfg, and an empty one of this name. */
export function oneDiskMore({ disks }: ShownCfg, vdev: string): CfgChange {
  return { set: { disk: [...disks.map(({ raw }) => raw), `phy:none,${vdev},w`] } };
}

/** One that crashes is not started again and again: its owner is told, and starts it again. */
export function rescueWish(spec: GuestSpec): CfgWish {
  return { spec, disks: 'rescue', onCrash: 'destroy' };
}
