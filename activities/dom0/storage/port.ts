/** Where guests' disks lie. A driver stands behind this for each kind of storage; steps see no tool. */
import type { PoolFacts } from '../../../contract/capacity-types.ts';
import type { PreflightRow } from '../../../contract/types.ts';
import type { Owner, Ref } from '../marks.ts';

/** What a disk is to its guest. */
export type DiskRole = 'root' | 'swap';

/**
 * `whole`: it may be used. `unfinished`: its content is not all there. `set aside`: out of the guest's hands, whole, and may come back. `wiping`: its
 * wipe has begun, and it never comes back.
 */
export type DiskState = 'whole' | 'unfinished' | 'set aside' | 'wiping';

/** Something that takes room in the pool: a guest's disk, a snapshot, or what somebody else keeps there. */
export interface Disk {
  /** Its name in the pool. */
  readonly name: string;
  /** How it is told to people: `volume vg01/guest1-root`. */
  readonly where: string;
  /** By its mark. Undefined: it carries none of ours. */
  readonly owner: Owner | undefined;
  readonly bytes: number;
  readonly state: DiskState;
  /** Somebody has it open: a domain, a mount, a tool. */
  readonly open: boolean;
  /** Path that tools open it by. */
  readonly device: string;
  /** Set while it grows: from this byte on it may still hold somebody else's data. */
  readonly grownFrom?: number;
}

/** What a disk is made of. */
export interface NewDisk {
  readonly role: DiskRole;
  /** Rounded up to what the pool is divided into. */
  readonly bytes: number;
  /** Field of the order that it comes from: for errors. */
  readonly field: string;
  /** Puts the content on the device, which reads as zeros. */
  readonly fill: (device: string) => Promise<void>;
}

/** A frozen picture of a guest's root disk. */
export interface Snapshot {
  readonly name: string;
  readonly device: string;
}

/** One pool of a dom0, as the steps use it. Every method may be killed at any instruction, and called again. */
export interface Storage {
  /** Name of the pool. */
  readonly pool: string;
  /** Undefined: there is no such pool. */
  facts(): Promise<PoolFacts | undefined>;
  /** Row of the preflight. */
  preflight(): Promise<PreflightRow>;
  /** All that is in the pool, whoever's it is. */
  list(): Promise<Disk[]>;
  /** Names that the disks of a guest of this name have, the snapshot's among them: what is called so stands in its way. */
  names(guest: string): readonly string[];
  /** What a cfg calls the disk, e.g. `phy:/dev/vg01/guest1-root`. It need not be there. */
  attachment(guest: string, role: DiskRole): string;
  /** Path of the disk's device. It need not be there. */
  device(guest: string, role: DiskRole): string;

  /**
   * The guest's disk.
   *
   * @throws NotFound when it is not there; NotOurs when it carries no mark of this order
   */
  find(ref: Ref, role: DiskRole): Promise<Disk>;
  /**
   * Makes a disk and fills it. One that is whole stays as it is; one that an earlier attempt left unfinished is wiped and filled again.
   *
   * @throws NotOurs, NoCapacity, HostNotReady; ToolFailed when somebody has it open
   */
  ensure(ref: Ref, disk: NewDisk): Promise<void>;
  /** The size that a disk of so many bytes gets. */
  roundUp(bytes: number): Promise<number>;
  /**
   * Makes a disk larger. Its new part may still hold somebody else's bytes, and says so as `grownFrom` until `finishGrowing`.
   *
   * @throws NoCapacity
   */
  grow(disk: Disk, bytes: number): Promise<void>;
  /** Wipes the disk from `from` to its end, `bytes`, and takes the mark `grownFrom` off. */
  finishGrowing(disk: Disk, from: number, bytes: number): Promise<void>;
  /** Wipes what is behind `bytes`, then gives it back. */
  shrink(disk: Disk, bytes: number): Promise<void>;
  /** Takes the marks of growing off. */
  settle(disk: Disk): Promise<void>;

  /**
   * Takes a snapshot of the guest's root disk, which may be in use. What an earlier attempt has left of one goes before.
   *
   * @throws NotFound, NotOurs; NoCapacity, which may pass
   */
  snapshot(ref: Ref): Promise<Snapshot>;
  /** @throws BackupUnusable when what was read from it cannot be trusted */
  mustBeSound(snapshot: Snapshot): Promise<void>;
  /** Removes the snapshot, and sees to it that the disk answers that a killed tool has left suspended. None is fine. */
  dropSnapshot(ref: Ref): Promise<void>;

  /** @throws NotOurs when somebody else's snapshot would go with a disk of this guest */
  mustBeReleasable(ref: Ref): Promise<void>;
  /** Takes the disks out of the guest's hands, whole. @throws NotFound when one of them is not there */
  setAside(ref: Ref, roles: readonly DiskRole[]): Promise<void>;
  /** Undo of `setAside`. Nothing is changed unless all of them can come back. @throws NotFound, ToolFailed */
  bringBack(ref: Ref, roles: readonly DiskRole[]): Promise<void>;
  /**
   * Gives back all that the guest has in the pool: out of its hands at once, then wiped, read back by sample, and removed. The guest is off.
   *
   * @throws ToolFailed when somebody has one open
   */
  release(ref: Ref): Promise<void>;
}
