/** Where the things of one guest are on a dom0. Paths are built from checked names, never taken. */
import type { Dom0Settings } from '../../order/dom0-settings.ts';
import type { Ref } from './marks.ts';
import { makeMarkedDirectory } from './staging.ts';
import type { Work } from './work.ts';

export interface GuestPaths {
  /** Keys and records of this guest, mode 0700. */
  readonly state: string;
  readonly provisionKey: string;
  /** guestflow's key to the disk that is kept beside the guest's own, where that has one. */
  readonly spareKey: string;
  readonly knownHosts: string;
  /** How its rescue system is known. */
  readonly rescueHosts: string;
  /** The cfg of its rescue system: not in the toolstack's directory, where nothing but the guest's own may stand for its domain. */
  readonly rescueCfg: string;
  /** What the xen-tools role reads and writes while the image is made. */
  readonly roleInput: string;
  readonly candidateCfg: string;
  /** The cfg as it was before the last change of the guest. */
  readonly formerCfg: string;
  /** What a change of root's access has replaced, while it may be undone. */
  readonly formerAccess: string;
  /** What such a change works with, while the guest is off. */
  readonly accessWork: string;
  /** What was counted of its traffic. */
  readonly traffic: string;
  readonly images: string;
  readonly diskImage: string;
  readonly swapImage: string;
  /** The cfg as xen-create-image wrote it. */
  readonly madeCfg: string;
  /** xen-create-image works below this; renamed away when whole. */
  readonly unfinishedImages: string;
  readonly backups: string;
}

export function guestPaths(settings: Dom0Settings, name: string): GuestPaths {
  const state = `${settings.stateDir}/guests/${name}`;
  const images = `${settings.imageDir}/domains/${name}`;
  return {
    state,
    provisionKey: `${state}/provision_key`,
    spareKey: `${state}/spare_key`,
    knownHosts: `${state}/known_hosts`,
    rescueHosts: `${state}/rescue_hosts`,
    rescueCfg: `${state}/rescue.cfg`,
    roleInput: `${state}/role`,
    candidateCfg: `${state}/candidate.cfg`,
    formerCfg: `${state}/former-cfg.json`,
    formerAccess: `${state}/former-access.json`,
    accessWork: `${state}/access`,
    traffic: `${state}/traffic.json`,
    images,
    diskImage: `${images}/disk.img`,
    swapImage: `${images}/swap.img`,
    madeCfg: `${images}/${name}.cfg`,
    unfinishedImages: `${settings.imageDir}/.guestflow/${name}`,
    backups: `${settings.backupDir}/${name}`,
  };
}

/** The directory of a guest's keys and records, marked. Made before anything else of the guest is. */
export async function ensureGuestState({ host, settings }: Work, ref: Ref): Promise<GuestPaths> {
  const paths = guestPaths(settings, ref.name);
  await makeMarkedDirectory(host.files, paths.state, ref);
  return paths;
}
