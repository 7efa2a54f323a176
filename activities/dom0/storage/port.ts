/** Where guests' disks lie. A driver stands behind this for each kind of storage; steps see no tool. */
import type { PoolFacts } from '../../../contract/capacity.ts';
import type { PreflightRow } from '../../../contract/dom0.ts';
import type { SpareRole } from '../../../contract/guest.ts';
import type { Owner, Ref } from '../marks.ts';

/**
 * What the guest uses a disk for. `restored`: a root disk that was made from a backup, and is not in use yet, or no more. `former`: the root disk of before
 * a restore. `trial`, `trialswap`: the disks of a trial, in which a backup is proven. `rescue`: the disk of a
 * rescue system. `growth`: what the root disk will grow by.
 */
export type DiskRole = 'root' | 'swap' | SideRole;

/** Disks that a guest does not use, and has for a while. */
export type SideRole = SpareRole | 'trial' | 'trialswap' | 'rescue' | 'growth';

/**
 * `whole`: it may be used. `unfinished`: its content is not complete. `set aside`: it is whole, but not the guest's any more, and can be brought back.
 * `wiping`: its wipe has begun, and it cannot be brought back.
 */
export type DiskState = 'whole' | 'unfinished' | 'set aside' | 'wiping';

/** Something that takes room in the pool: a guest's disk, a snapshot, or what somebody else keeps there. */
export interface Disk {
  /** Its name in the pool. */
  readonly name: string;
  /** How it is told to people: `volume vg01/guest1-root`. */
  readonly where: string;
  /** By its mark; undefined if it has no mark of ours. */
  readonly owner: Owner | undefined;
  /** The pool that it takes its room from. */
  readonly pool: string;
  readonly bytes: number;
  readonly state: DiskState;
  /** It is open: by a domain, a mount, a tool. */
  readonly open: boolean;
  /** Path that tools open it by. */
  readonly device: string;
  /** Set while it grows: from this byte on it may still hold another tenant's data. */
  readonly grownFrom?: number;
}

/** What a disk is made of. */
export interface NewDisk {
  readonly role: DiskRole;
  /** Rounded up to whole units of the pool. */
  readonly bytes: number;
  /** Field of the order that it comes from: for errors. */
  readonly field: string;
  /** Puts the content on the device, which reads as zeros; unless it is a clone of the template: then what is left to do is done. */
  readonly fill: (device: string, isClone: boolean) => Promise<void>;
  /** Key of the template that it may be a clone of. Asked only when the disk is made. */
  readonly template?: () => Promise<string>;
}

/** What disks may be clones of. */
export interface Template {
  readonly key: string;
  /** How it is told to people. */
  readonly where: string;
  /** Its content is complete. */
  readonly isWhole: boolean;
}

/** Templates of a pool that clones disks. Every method may be killed at any instruction, and called again. */
export interface Templates {
  /**
   * Makes the template of this key. A whole one stays as it is.
   *
   * @throws NotOurs, NoCapacity, HostNotReady
   */
  ensure(key: string, content: { readonly bytes: number; readonly fill: (device: string) => Promise<void> }): Promise<void>;
  list(): Promise<Template[]>;
  /** Disks that are clones of it stay as they are. If there is none of that key, it does nothing. */
  remove(key: string): Promise<void>;
}

/** A snapshot of a guest's root disk. */
export interface Snapshot {
  readonly name: string;
  readonly device: string;
  /** Set if the guest had to stand still while it was taken: for so many milliseconds. */
  readonly stoodStillMs?: number;
}

/** One pool of a dom0, as the steps use it. Every method may be killed at any instruction, and called again. */
export interface Storage {
  /** Name of the pool. */
  readonly pool: string;
  /** Undefined: the pool clones nothing. */
  readonly templates?: Templates;
  /** Undefined if there is no such pool. */
  facts(): Promise<PoolFacts | undefined>;
  /** Row of the preflight. */
  preflight(): Promise<PreflightRow>;
  /** Everything in the pool, ours or not. */
  list(): Promise<Disk[]>;
  /** The names of the disks, and of the snapshot, of a guest of this name. Anything else with such a name is in its way. */
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
   * Makes a disk and fills it. A whole disk stays as it is; if an earlier attempt has left it unfinished, it is wiped and filled again.
   *
   * @throws NotOurs, NoCapacity, HostNotReady; ToolFailed when somebody has it open
   */
  ensure(ref: Ref, disk: NewDisk): Promise<void>;
  /** The size that a disk of so many bytes gets. */
  roundUp(bytes: number): Promise<number>;
  /**
   * Makes a disk larger. Its new part may still hold another tenant's bytes; until `finishGrowing`, `grownFrom` says so.
   *
   * @throws NoCapacity
   */
  grow(disk: Disk, bytes: number): Promise<void>;
  /**
   * Makes the guest's root disk larger while it is in use. Its new part reads as zeros from the first moment on. If it is that large, it does nothing.
   *
   * @throws NotFound, NotOurs, NoCapacity
   */
  growInUse(ref: Ref, bytes: number): Promise<void>;
  /** Wipes the disk from `from` to its end, `bytes`, and takes the mark `grownFrom` off. */
  finishGrowing(disk: Disk, from: number, bytes: number): Promise<void>;
  /** Wipes what is behind `bytes`, then gives that room back. */
  shrink(disk: Disk, bytes: number): Promise<void>;
  /** Removes the marks of growing. */
  settle(disk: Disk): Promise<void>;

  /**
   * Takes a snapshot of the guest's root disk, which may be in use. If an earlier attempt has left one, that is removed first.
   *
   * @throws NotFound, NotOurs; NoCapacity, which may pass
   */
  snapshot(ref: Ref): Promise<Snapshot>;
  /** @throws BackupUnusable if what was read from the snapshot cannot be trusted */
  mustBeSound(snapshot: Snapshot): Promise<void>;
  /** Removes the snapshot, if there is one. If a killed attempt has left the disk suspended, or the guest paused, it goes on. */
  dropSnapshot(ref: Ref): Promise<void>;
  /**
   * Guests that wait for what a killed attempt has left go on: a disk that it has left suspended, a domain that it has left paused. It is for the start of a
   * worker, when no attempt runs.
   */
  wake(): Promise<void>;

  /** @throws NotOurs if somebody else's snapshot would be removed with a disk of this guest */
  mustBeReleasable(ref: Ref): Promise<void>;
  /** Sets the disks aside, whole. @throws NotFound if one of them is not there */
  setAside(ref: Ref, roles: readonly DiskRole[]): Promise<void>;
  /** Undo of `setAside`. Changes nothing unless all of them can be brought back. @throws NotFound, ToolFailed */
  bringBack(ref: Ref, roles: readonly DiskRole[]): Promise<void>;
  /**
   * Makes the spare disk of this role the root disk. The one that was it takes the other role; if there is one of that role already, it is set aside as
   * a restored one. If all that has happened already, it does nothing. The guest must be off.
   *
   * @throws NotFound when there is no root disk and no such spare one; NotOurs; ToolFailed when one is in use
   */
  exchange(ref: Ref, spare: SpareRole): Promise<void>;
  /**
   * Gives back all that the guest has in the pool: renames it at once, then wipes it, reads samples back, and removes it. The guest must be off.
   *
   * @param role only disks of this role, set aside ones, too; if there is none, it does nothing. Default: all of them.
   * @throws ToolFailed when somebody has one open
   */
  release(ref: Ref, role?: SideRole): Promise<void>;
}
