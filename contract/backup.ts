/** Backups: their records, and which stay. Plain types: workflow code imports them. */
import type { GuestFields } from './field-types.ts';
import type { GuestSpec } from './guest.ts';

/** An id of a backup: `20261123T020000Z`. */
export const BACKUP_ID = /^[0-9]{8}T[0-9]{6}Z$/;

/** How many backups of a guest may be protected from retention: each takes room for as long as its guest lives. */
export const MOST_PROTECTED = 10;

/** How many backups are kept: the last ones, and the last of each of so many hours, days, weeks, months and years that have one. */
export type Retention = GuestFields['backup']['retention'];

/** What a backup is made with. `blocks`: the used blocks of the file system. `dump`: dump(8), where it can be trusted. */
export type BackupEngine = 'blocks' | 'dump';

/**
 * How the guest was when its snapshot was taken. `crash`: it ran, and its disk is as after a power cut. `paused`: it was paused while its disk was copied,
 * which is as after a power cut, too. `flushed`: its hooks had stopped what writes, where it has any, and what it had written was on its disk. `stopped`: it
 * had no domain.
 */
export const CONSISTENCIES = ['crash', 'paused', 'flushed', 'stopped'] as const;
export type Consistency = (typeof CONSISTENCIES)[number];

/** What came of starting a guest from a backup, or of the attempt. */
export interface Proof {
  /** When it ended. */
  readonly at: string;
  /** How long it took. */
  readonly seconds: number;
  /**
   * `proven`: it was restored, all bytes compared, and what was started from it came up. `unusable`: what was restored is not what was saved, or is no sound
   * file system. `silent`: it was restored and started, and did not come up in time; the guest itself may be no better.
   */
  readonly outcome: 'proven' | 'unusable' | 'silent';
  /** What was seen, in words. */
  readonly what: string;
}

export interface BackupRecord {
  readonly id: string;
  readonly guest: string;
  readonly takenAt: string;
  /** Where it lies: of a directory on the dom0, the path. */
  readonly repository: string;
  /** Its name in there. */
  readonly key: string;
  /** Of its file; where borg keeps it, those that its repository did not hold before. */
  readonly bytes: number;
  /** Bytes before compression. */
  readonly dumpedBytes: number;
  /** Of its file; where borg keeps it, of its content. */
  readonly sha256: string;
  readonly engine: BackupEngine;
  readonly seconds: number;
  /** `verified`: read back whole, and the same as what was written. `proven`: restored, and started from. `unusable`: it could not be restored. */
  readonly state: 'taken' | 'verified' | 'proven' | 'unusable';
  /** The last proof, where one was tried. */
  readonly proof?: Proof;
  readonly consistency: Consistency;
  /** What somebody should know of it: why another engine was taken than was asked for, errors that the guest's kernel has recorded. */
  readonly warnings?: readonly string[];
  /** Retention does not remove it: only the end of the guest does. Said beside the record, never by it. */
  readonly isProtected?: true;
}

/** Whether a backup can be restored, by all that is known of it. */
export function isGood({ state }: Pick<BackupRecord, 'state'>): boolean {
  return state === 'verified' || state === 'proven';
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
  /** What keeps its content, if that is no file of its own: the borg repository of the guest. */
  readonly keptBy?: 'borg';
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
