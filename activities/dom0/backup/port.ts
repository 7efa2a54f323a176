/** What a backup is made with (an engine), and where it lies (a repository): two ports, composed. */
import type { BackupEngine, Proof, StoredBackup } from '../../../contract/backup.ts';
import type { FileSink } from '../../../system/host.ts';
import type { Thing } from '../inventory/thing.ts';
import type { Ref } from '../marks.ts';
import type { FsInfo } from '../tools/ext4.ts';

/** How the names of files end, by the engine that wrote them. */
export const SUFFIXES = { blocks: '.img.zst', dump: '.dump.zst' } as const satisfies Readonly<Record<BackupEngine, string>>;

/** What an engine has written. */
export interface Written {
  readonly bytes: number;
  /** SHA-256 of these bytes, in hexadecimal. */
  readonly sha256: string;
}

/** A backup, as it was found to be when it was read back. */
export interface Saved extends Written {
  /** Bytes before compression. */
  readonly dumpedBytes: number;
}

/** A way to save a file system that is not mounted. */
export interface Engine {
  /** As records name it. */
  readonly name: BackupEngine;
  /** How the names of its files end, with the dot. */
  readonly suffix: string;
  /** Why this engine cannot be trusted with the file system, in words; undefined if it can. */
  whyNot(device: string, fs: FsInfo): Promise<string | undefined>;
  /**
   * Writes what is on the device to the sink, and does not commit it.
   *
   * @throws BackupUnusable
   */
  save(device: string, sink: FileSink, fs: FsInfo): Promise<Written>;
  /**
   * Reads the whole backup, and compares it with what was written.
   *
   * @param fs the file system that was saved, where it is known
   * @returns bytes of its content, before compression
   * @throws BackupUnusable if it differs or is missing
   */
  check(path: string, written: Written, fs?: FsInfo): Promise<number>;
  /**
   * Brings what was kept back onto a device that reads as zeros, looks through its structure, and compares all of it with what was saved. Undefined:
   * it needs a mounted file system, and is done by hand.
   *
   * @throws InvalidInput when it does not fit; BackupUnusable when what is there then is another
   */
  readonly restore?: (path: string, saved: Saved, target: { readonly device: string; readonly bytes: number }) => Promise<void>;
  /** The packages of its tools, with their versions. */
  tools(): Promise<string[]>;
}

/** A file system that can be saved, and the engine for it. */
export interface Chosen {
  readonly engine: Engine;
  /** Why this engine, in words. */
  readonly why: string;
  readonly fs: FsInfo;
  /** What an operator should know. */
  readonly warnings: readonly string[];
}

/** `in background`: it gives way to the guests. `at once`: somebody waits for it. */
export type Haste = 'in background' | 'at once';

/** The engines of a dom0. */
export interface Engines {
  /**
   * Brings a snapshot of a guest's file system to what the guest had written for good, looks through all of its structure, and finds the engine that
   * can be trusted with it.
   *
   * @throws BackupUnusable when there is no file system that can be saved; that does not pass by itself
   */
  choose(device: string): Promise<Chosen>;
  /** @param haste Default: in background */
  named(name: BackupEngine, haste?: Haste): Engine;
}

/** The backups of one guest in a repository. */
export interface Listing {
  /** Oldest first. */
  readonly backups: readonly StoredBackup[];
  /** Names of records that differ from what was written. The files of their backups stay. */
  readonly damaged: readonly string[];
}

/** A place for the backups of a dom0's guests. A file there is a backup only if it has a record. */
export interface Repository {
  /** As records name it. For a directory, its path. */
  readonly name: string;
  /** Makes the guest's place, or finds it, and removes what killed attempts have left there. @throws NotOurs */
  open(ref: Ref): Promise<void>;
  /** The time now; if a backup of this second exists (dom0's clock was set back), the next free second. */
  freeTime(guest: string): Promise<Date>;
  /** The key of a backup of this id. */
  keyOf(guest: string, id: string, suffix: string): string;
  sink(key: string): Promise<FileSink>;
  /** The path of a backup, for tools. */
  path(key: string): string;
  record(backup: StoredBackup): Promise<void>;
  /** Keeps the proof of a backup. @returns the backup with it */
  prove(backup: StoredBackup, proof: Proof): Promise<StoredBackup>;
  /** Has retention leave the backup alone, or not any more. @returns the backup as it is then */
  protect(backup: StoredBackup, isProtected: boolean): Promise<StoredBackup>;
  list(guest: string): Promise<Listing>;
  /**
   * Removes backups by their ids. If one is not there, that is no error.
   *
   * @returns bytes of the disk that are free again
   * @throws NotOurs
   */
  remove(ref: Ref, ids: readonly string[]): Promise<number>;
  /** Removes files without a record. */
  discardHalf(ref: Ref): Promise<void>;
  /** Removes the guest's place with all that is in it. */
  removeAll(ref: Ref): Promise<void>;
  /** What the repository holds of guests. */
  things(guest?: string): Promise<Thing[]>;
}

/** `20261123T020000Z`: sorts by time, and is a file name. */
export function backupId(at: Date): string {
  return at.toISOString().replace(/[-:]|\.\d+/g, '');
}

/** When a backup of this id was taken, in milliseconds; NaN if there is no such time. */
export function timeOfId(id: string): number {
  return Date.parse(id.replace(/^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/, '$1-$2-$3T$4:$5:$6Z'));
}
