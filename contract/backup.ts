/** Backups: their records, and which stay. Plain types: workflow code imports them. */
import type { GuestFields } from './field-types.ts';
import type { GuestSpec } from './guest.ts';

/** How many backups are kept: the last ones, and the last of each of so many hours, days, weeks, months and years that have one. */
export type Retention = GuestFields['backup']['retention'];

/** What a backup is made with. `blocks`: the used blocks of the file system. `dump`: dump(8), where it can be trusted. */
export type BackupEngine = 'blocks' | 'dump';

/** How the guest was when its snapshot was taken. `crash`: it ran, and its disk is as after a power cut. `stopped`: it had no domain. */
export type Consistency = 'crash' | 'stopped';

export interface BackupRecord {
  readonly id: string;
  readonly guest: string;
  readonly takenAt: string;
  /** Where it lies: of a directory on the dom0, the path. */
  readonly repository: string;
  /** Its name in there. */
  readonly key: string;
  readonly bytes: number;
  /** Bytes before compression. */
  readonly dumpedBytes: number;
  /** Of the file. */
  readonly sha256: string;
  readonly engine: BackupEngine;
  readonly seconds: number;
  /** `verified`: read back whole, and the same as what was written. `proven`: restored, and started from. */
  readonly state: 'taken' | 'verified' | 'proven';
  readonly consistency: Consistency;
  /** What somebody should know of it: why another engine was taken than was asked for, errors that the guest's kernel has recorded. */
  readonly warnings?: readonly string[];
  /** Nothing removes it but the end of the guest. */
  readonly isProtected?: true;
}

/** What came of looking which backups stay. */
export interface Pruned {
  /** Ids of those that are gone, oldest first. */
  readonly removed: readonly string[];
  /** Bytes of the disk that are free again. */
  readonly freedBytes: number;
  /** How many are there now. */
  readonly kept: number;
  /** Names of records that are not what was written: what they are of is not touched. */
  readonly damaged: readonly string[];
}

/** A file system as its superblock tells it. */
export interface SavedFileSystem {
  readonly uuid: string;
  readonly features: readonly string[];
  readonly blockSize: number;
  readonly blocks: number;
}

/** What lies beside a backup: enough to bring the guest back from, when nothing else of it is left. No secret is in it. */
export interface StoredBackup extends BackupRecord {
  /** Of this form. */
  readonly format: 1;
  readonly order: string;
  readonly dom0: string;
  /** Packages of the tools that made it, with their versions. */
  readonly tools: readonly string[];
  /** Why this engine. */
  readonly why: string;
  readonly fileSystem: SavedFileSystem;
  /** Sizes of the guest's disks in bytes. Swap is made anew. */
  readonly disks: { readonly root: number; readonly swap?: number };
  readonly spec: Omit<GuestSpec, 'access'> & { readonly access: Omit<GuestSpec['access'], 'sealedPassword'> };
  /** The guest's cfg, where there is one. */
  readonly cfg?: string;
  readonly endedAt: string;
}
