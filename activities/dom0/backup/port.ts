/** What a backup is made with (an engine), and where it lies (a repository): two ports, composed. */
import type { BackupRecord } from '../../../contract/types.ts';
import type { FileSink } from '../../../system/host.ts';
import type { Thing } from '../inventory/thing.ts';
import type { Ref } from '../marks.ts';

/** What an engine has written. */
export interface Saved {
  readonly bytes: number;
  /** Bytes before compression. */
  readonly dumpedBytes: number;
  /** Of what was written, in hexadecimal. */
  readonly sha256: string;
}

/** A way to save a file system that nobody has mounted. */
export interface Engine {
  /** As records name it. */
  readonly name: string;
  /** How the names of its files end, with the dot. */
  readonly suffix: string;
  /** Brings a snapshot of a running guest's file system to what the guest had written for good. @throws BackupUnusable when it cannot save it */
  prepare(device: string): Promise<void>;
  /**
   * Writes what is on the device to the sink, and does not commit it.
   *
   * @throws BackupUnusable
   */
  save(device: string, sink: FileSink): Promise<Saved>;
  /** Reads back what was kept. @throws BackupUnusable when it is not the backup of a root file system */
  check(path: string): Promise<void>;
}

/** A place for the backups of the guests of a dom0. A record makes a backup of what lies there. */
export interface Repository {
  /** As records name it. For a directory, its path. */
  readonly name: string;
  /** Makes the guest's place, or finds it made, rid of what killed attempts have left. @throws NotOurs */
  open(ref: Ref): Promise<void>;
  /** The time now, or the next second of which there is no backup: the same one may come twice, when dom0's clock was set back. */
  freeTime(guest: string): Promise<Date>;
  /** The key of a backup of this id. */
  keyOf(guest: string, id: string, suffix: string): string;
  sink(key: string): Promise<FileSink>;
  /** Where tools find it. */
  path(key: string): string;
  record(backup: BackupRecord): Promise<void>;
  /** The guest's backups, oldest first. */
  list(guest: string): Promise<BackupRecord[]>;
  /** Removes what has not become a backup. */
  discardHalf(ref: Ref): Promise<void>;
  /** Removes the guest's place with all that is in it. */
  removeAll(ref: Ref): Promise<void>;
  /** What is there of guests. */
  things(guest?: string): Promise<Thing[]>;
}

/** `20261123T020000Z`: sorts by time, and is a file name. */
export function backupId(at: Date): string {
  return at.toISOString().replace(/[-:]|\.\d+/g, '');
}
