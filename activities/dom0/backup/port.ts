/** What a backup is made with (an engine), what holds its content (a container), and where it lies (a repository): ports, composed. */
import type { BackupEngine, Proof, StoredBackup } from '../../../contract/backup.ts';
import type { PreflightRow } from '../../../contract/dom0.ts';
import type { PipelineOptions, PipelineStage } from '../../../system/run.ts';
import type { Thing } from '../inventory/thing.ts';
import type { Ref } from '../marks.ts';
import type { FsInfo } from '../tools/ext4.ts';

/** What a container was given. */
export interface Written {
  /** Bytes of a file; of an archive, those that the repository did not hold before. */
  readonly bytes: number;
  /** SHA-256 in hexadecimal: of the bytes of a file, of the content of an archive. */
  readonly sha256: string;
}

/** A backup, as it was found to be when it was read back. */
export interface Saved extends Written {
  /** Bytes before compression. */
  readonly dumpedBytes: number;
}

/** Processes in a row, one or two, of which the last prints what is to be kept. */
export interface Source {
  readonly stages: readonly PipelineStage[];
  /** How many bytes it prints, where that is known: if they are others, that is an error. */
  readonly bytes?: number;
}

/** A device that reads as zeros. */
export interface Disk {
  readonly device: string;
  readonly bytes: number;
}

/** What holds the content of one backup: a file in a directory, or an archive of borg. Before there is a record of it, it is no backup. */
export interface Container {
  /** How it is told to people: a path. */
  readonly title: string;
  /** Debian packages of its tools. */
  readonly packages: readonly string[];
  /**
   * Puts in what is printed.
   *
   * @param onWritten told the bytes written so far
   * @returns what was written, and what the first process said on its standard error, if nobody listens to it
   */
  pack(source: Source, onWritten?: (bytes: number) => void): Promise<Written & { readonly stderr: string }>;
  /** What was packed stays. */
  commit(): Promise<void>;
  /** Removes what was packed; after a commit, nothing. */
  abort(): Promise<void>;
  /** Gives its content to a process, which may end before that does. What the process prints goes to the sink. */
  feed(stage: PipelineStage, options: Pick<PipelineOptions, 'sink' | 'cwd'>): Promise<void>;
  /**
   * Reads it from end to end.
   *
   * @param contentBytes of its content, where that is known
   * @returns bytes of its content
   * @throws BackupUnusable unless it is what was written
   */
  check(written: Written, contentBytes?: number): Promise<number>;
  /**
   * Writes its content to a device that reads as zeros, and compares every byte of it there. Zeros are not written.
   *
   * @param onProgress told the bytes so far
   * @throws BackupUnusable unless it is what was written, and the device holds its content. What is on the device must not be used then.
   */
  unpackTo(saved: Saved, device: string, onProgress: (bytes: number) => void): Promise<void>;
}

/** Where the content of a backup is, by its record. */
export type Kept = Pick<StoredBackup, 'key' | 'keptBy'>;

/** A way to save a file system that is not mounted. */
export interface Engine {
  /** As records name it. */
  readonly name: BackupEngine;
  /** Why this engine cannot be trusted with the file system, in words; undefined if it can. */
  whyNot(device: string, fs: FsInfo): Promise<string | undefined>;
  /**
   * Puts what is on the device into a container, and does not commit it.
   *
   * @throws BackupUnusable
   */
  save(device: string, container: Container, fs: FsInfo): Promise<Written>;
  /**
   * Reads the whole backup, and compares it with what was written.
   *
   * @param fs the file system that was saved, where it is known
   * @returns bytes of its content, before compression
   * @throws BackupUnusable if it differs or is missing
   */
  check(container: Container, written: Written, fs?: FsInfo): Promise<number>;
  /**
   * Brings what was kept back onto a device that reads as zeros, looks through its structure, and compares all of it with what was saved. Undefined:
   * it needs a mounted file system, and is done by hand.
   *
   * @throws InvalidInput when it does not fit; BackupUnusable when what is there then is another
   */
  readonly restore?: (container: Container, saved: Saved, target: Disk) => Promise<void>;
  /** The packages of its tools and of the container's, with their versions. */
  tools(container: Container): Promise<string[]>;
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

/** Where backups can be read. */
export interface BackupSource {
  /** As records name it. For a directory, its path. */
  readonly name: string;
  /** @param haste Default: in background. */
  container(kept: Kept, haste?: Haste): Container;
  list(guest: string): Promise<Listing>;
}

/** A place for the backups of a dom0's guests. What lies there is a backup only if it has a record. */
export interface Repository extends BackupSource {
  /** Makes the guest's place, or finds it, and removes what killed attempts have left there. @throws NotOurs */
  open(ref: Ref): Promise<void>;
  /** The time now; if a backup of this second exists (dom0's clock was set back), the next free second. */
  freeTime(guest: string): Promise<Date>;
  /** Where a new backup of this id goes. */
  keptAs(guest: string, id: string, engine: BackupEngine): Kept;
  record(backup: StoredBackup): Promise<void>;
  /** Keeps the proof of a backup. @returns the backup with it */
  prove(backup: StoredBackup, proof: Proof): Promise<StoredBackup>;
  /** Has retention leave the backup alone, or not any more. @returns the backup as it is then */
  protect(backup: StoredBackup, isProtected: boolean): Promise<StoredBackup>;
  /**
   * Removes backups by their ids. If one is not there, that is no error.
   *
   * @returns bytes of the disk that are free again
   * @throws NotOurs
   */
  remove(ref: Ref, ids: readonly string[]): Promise<number>;
  /** Removes what has no record; if nothing else is there of the guest, its directory, too. */
  discardHalf(ref: Ref): Promise<void>;
  /** Removes the guest's place with all that is in it. */
  removeAll(ref: Ref): Promise<void>;
  /** What the dom0 lacks for new backups. */
  preflight(): Promise<PreflightRow[]>;
  /** Makes what it needs, where that can be made. */
  prepare(): Promise<void>;
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
