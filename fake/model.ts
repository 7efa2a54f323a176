/** What a fake dom0 is made of, as plain data: it can be compared, printed and kept. */

/** Size of an LVM extent. */
export const EXTENT = 4 * 2 ** 20;

/** A file system, as far as it matters: who wrote it, which small files are in it, and whether its journal was replayed. */
export interface GuestFs {
  uuid: string;
  type: 'ext4' | 'ext3';
  bytes: number;
  usedBytes: number;
  features: string[];
  /** Whose data it is: the host name it was made for. */
  label: string;
  /** Small files of the guest: path → text. */
  files: Record<string, string>;
  /** Files that are in the journal only. Who does not replay it does not see them. */
  journal: Record<string, string>;
  needsRecovery: boolean;
  /** Half of it is missing, after a copy that was ended in the middle. */
  damaged: boolean;
}

/** What a disk holds: a file system, swap space, and bytes of whoever had the blocks before. */
export interface Content {
  fs?: GuestFs;
  swapUuid?: string;
  /** Labels of everybody whose bytes can be read on it outside of the file system. */
  residue: string[];
  /** Of a file: it takes all of its room. Default: what its file system uses. */
  allocated?: true;
  /** How far it has been wiped, by parts from the start on. */
  zeroedTo?: number;
}

/** A run of extents of the physical volume. The fake gives none of them out twice, unless it is told which. */
export interface Place {
  first: number;
  count: number;
}

export interface FakeVolume {
  name: string;
  extents: number;
  /** Default: nobody asks for them. */
  places?: Place[];
  tags: string[];
  /** A snapshot's origin. */
  origin?: string;
  /** It is a thin pool. What is in its volumes says how full it is. */
  isThinPool?: boolean;
  /** The thin pool that it lies in: it takes no extents then. */
  thinPool?: string;
  /** Of a volume in a thin pool: labels of what lay behind its end when it was reduced, and was not discarded before. */
  unseen?: string[];
  /** Of a volume in a thin pool: from this byte on its blocks were given back. */
  discardedFrom?: number;
  /** What can be read through the device. */
  content: Content;
  /** A snapshot's copies of its origin's blocks: they lie on the disk when it is removed. */
  hidden: string[];
  dataPercent: number;
  invalid: boolean;
  /** Number of its `/dev/dm-N`. */
  minor: number;
  /** It has no device: its lvcreate had not come to that, or its lvremove had begun. */
  inactive?: boolean;
  /** Its device takes reads and writes, and answers none. */
  suspended?: boolean;
}

export interface FakeDisk {
  vdev: string;
  /** `/dev/vg01/name` or the path of an image. */
  source: string;
  writable: boolean;
}

/** To the guest and from it. */
export interface FakeTraffic {
  inBytes: number;
  outBytes: number;
}

export interface FakeDomain {
  id: number;
  name: string;
  cfgPath: string;
  memoryMiB: number;
  vcpus: number;
  /** What it was started with room for. Default: no more than it has. */
  maxMemoryMiB?: number;
  /** What Xen takes for it beside its memory. Default: nothing that counts. */
  pagingMiB?: number;
  maxVcpus?: number;
  disks: FakeDisk[];
  rootDisk?: string;
  kernel: string;
  bridges: string[];
  /** Hotplug scripts of its vifs. Default: Xen's own. */
  scripts?: (string | null)[];
  /** What its vifs have counted, beside what the speed `watchable` adds. Default: nothing. */
  traffic?: FakeTraffic[];
  onCrash: string;
  state: 'running' | 'paused' | 'shutting-down' | 'dying';
  /** Milliseconds of the machine's clock. */
  startedAt: number;
  /** Looks (`ssh`, `ssh-keyscan`, `arping`) until it answers; lists until it has gone. */
  looksLeft: number;
  /** Its kernel found its root file system. */
  booted: boolean;
  /** Kernel settings that it has changed while it ran. */
  liveSysctl: Record<string, string>;
}

export interface FakeLoop {
  name: string;
  file: string;
  autoclear: boolean;
}

export interface FakeMount {
  source: string;
  target: string;
}

/** Everything on a fake dom0 that can change, without its files. */
export interface FakeState {
  volumeGroup: string;
  totalExtents: number;
  volumes: FakeVolume[];
  /** Labels of everybody whose bytes lie on free extents. */
  freeResidue: string[];
  /** Extents that a removed volume lay on, with the labels of everybody whose bytes it left there. */
  freed: (Place & { residue: string[] })[];
  nextExtent: number;
  domains: FakeDomain[];
  loops: FakeLoop[];
  mounts: FakeMount[];
  nextDomainId: number;
  nextMinor: number;
  random: number;
}

/** Everything on a fake dom0, as data for comparing. Files are those that guestflow and Xen keep. */
export interface DomainState {
  domains: { name: string; id: number; state: string; disks: string[] }[];
  volumes: {
    name: string;
    bytes: number;
    tags: string[];
    origin?: string;
    holds: 'nothing' | 'ext4' | 'ext3' | 'swap';
    label?: string;
    damaged: boolean;
    /** Of a system: how one gets into it, and the name that it has. */
    access?: { password: string; keys: readonly string[]; hostname: string };
    residue: string[];
    /** Only when it is not active. */
    state?: 'inactive' | 'suspended';
  }[];
  loops: { name: string; file: string }[];
  mounts: { source: string; target: string }[];
  /** Path → text of small files, `link: TARGET`, or `image: LABEL` and the like for big ones. */
  files: Record<string, string>;
  directories: string[];
  freeBytes: number;
  freeResidue: string[];
}

export function emptyContent(residue: readonly string[] = []): Content {
  return { residue: [...residue] };
}

/** Everybody whose bytes are in there. */
export function labelsIn(content: Content): string[] {
  return unique([...(content.fs === undefined ? [] : [content.fs.label]), ...content.residue]);
}

export function unique(labels: readonly string[]): string[] {
  return [...new Set(labels)].filter((label) => label !== '').sort();
}
