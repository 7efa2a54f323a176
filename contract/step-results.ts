/** What steps on a dom0 answer. Plain types: workflow code imports them. */
import type { BackupRecord } from './backup.ts';
import type { GuestPhase, GuestSpec } from './guest.ts';

export interface GoldenResult {
  readonly dist: string;
  readonly path: string;
  readonly sha256: string;
  readonly bytes: number;
  readonly createdAt: string;
  /** It was there already. */
  readonly reused: boolean;
}

/** A golden root file system. */
export interface GoldenRootResult {
  readonly dist: string;
  readonly path: string;
  /** Of its file, compressed. */
  readonly bytes: number;
  readonly createdAt: string;
  /** sha256 of the tarball that it was made from. Undefined: it was installed by debootstrap. */
  readonly tarball?: string;
  /** It was there already. */
  readonly reused: boolean;
}

export interface ImageResult {
  readonly directory: string;
  readonly bytes: number;
  readonly reused: boolean;
}

export interface CfgResult {
  readonly path: string;
  readonly changed: readonly string[];
  /** sha256 of the file. */
  readonly sha256: string;
}

/** What came of changing a guest while it runs. */
export interface AdjustResult {
  readonly isDone: boolean;
  /** Why it needs a restart, when it is not done. */
  readonly reason?: string;
}

/** What came of growing a file system while the guest has it mounted. */
export interface FileSystemResult {
  /** Its size, as the guest says. */
  readonly bytes?: number;
  /** Why it was not grown: who has root in the guest does it then. */
  readonly left?: string;
}

export interface BootResult {
  readonly domainId: number;
  /** Seconds from `xl create` until the guest answered. */
  readonly seconds: number;
  readonly rootDevice: string;
  readonly kernel: string;
  /** Why a sealed guest counts as started that did not answer. */
  readonly warning?: string;
}

export interface WallclockResult {
  /** `set`: the key is persistent and live. `not needed`: this kernel has none. */
  readonly independentWallclock: 'set' | 'not needed';
  readonly kernel: string;
  readonly clocksource: string;
  readonly timeDaemon: string;
  /** Guest's clock minus dom0's. */
  readonly skewSeconds: number;
  /** Lines of console or kernel log that say `Time went backwards`. */
  readonly wentBackwards: readonly string[];
}

export interface VolumesResult {
  readonly root: string;
  readonly swap: string;
  readonly copiedBytes: number;
}

/** A backup that another dom0 has taken, with what was ordered of its guest. */
export interface ForeignBackup {
  readonly record: BackupRecord;
  readonly order: string;
  /** The dom0 that took it. */
  readonly dom0: string;
  readonly spec: GuestSpec;
}

/** A guest as its dom0 knows it. */
export interface FoundGuest {
  readonly spec: GuestSpec;
  /** A guest that was suspended by a shutdown looks like one that was stopped. */
  readonly phase: Extract<GuestPhase, 'running' | 'stopped' | 'suspended' | 'rescue'>;
  /** Oldest first. */
  readonly backups: readonly BackupRecord[];
  /** Bytes of its disk of before a restore, if there is one. */
  readonly formerBytes?: number;
  /** Bytes of the disk of its rescue system, if there is one. */
  readonly rescueBytes?: number;
  /** Where its cfg differs from what the record of its last backup says. */
  readonly warnings: readonly string[];
}
