/** Where everything of a guest is, whichever driver has it there: for tests that look behind the ports. */
import { guestPaths as ownPaths, type GuestPaths } from '../activities/dom0/guest-paths.ts';
import { autostartPath, cfgPath } from '../activities/dom0/toolstack/xl/cfg-files.ts';
import { volumeName } from '../activities/dom0/storage/lvm/pool.ts';
import type { Dom0Settings } from '../order/dom0-settings.ts';

export interface GuestPlaces extends GuestPaths {
  readonly cfg: string;
  readonly trialCfg: string;
  readonly autostart: string;
}

export function guestPaths(settings: Dom0Settings, name: string): GuestPlaces {
  return { ...ownPaths(settings, name), cfg: cfgPath(name), trialCfg: cfgPath(`${name}+trial`), autostart: autostartPath(name) };
}

export function guestVolumes(name: string): { readonly root: string; readonly swap: string; readonly snapshot: string } {
  return { root: volumeName(name, 'root'), swap: volumeName(name, 'swap'), snapshot: volumeName(name, 'backup') };
}
