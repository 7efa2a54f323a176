/** What a dom0 may fill of a backup host. */
import { lstat, readdir, statfs } from 'node:fs/promises';
import { dirname } from 'node:path';
import { formatSize, MiB } from '../../../../contract/sizes.ts';
import { MOST_BACKUPS } from './protocol.ts';

/** Of all records of a dom0: who lists its backups reads them into memory. A record has a few KiB. */
const MOST_RECORD_BYTES = 256 * MiB;

/** Bytes. */
export interface Limits {
  /** Of all that is kept of the dom0. Default: what leaves the reserve. */
  readonly total?: number;
  /** Of one backup. */
  readonly one: number;
  /** That stay free on the file system. Default: a tenth of it. */
  readonly reserve?: number;
}

/** What there is of a dom0. */
interface Used {
  /** Of the disk. */
  bytes: number;
  backups: number;
  recordBytes: number;
}

export class Room {
  private readonly root: string;
  private readonly limits: Limits;
  private readonly used: Used;

  private constructor(root: string, limits: Limits, used: Used) {
    this.root = root;
    this.limits = limits;
    this.used = used;
  }

  static async of(root: string, limits: Limits): Promise<Room> {
    return new Room(root, limits, await usedBelow(root));
  }

  /** Why there is no room for a backup, in words; undefined when there is. @param missing bytes of it that are not here yet */
  async whyNot(bytes: number, missing = bytes): Promise<string | undefined> {
    const { total = Infinity, one, reserve } = this.limits;
    if (bytes > one) return `it has ${formatSize(bytes)}, more than the ${formatSize(one)} that one backup may have (--max-backup-bytes)`;
    if (this.used.backups >= MOST_BACKUPS) return `${this.used.backups} backups of this dom0 are here, and no more can be`;
    if (this.used.recordBytes >= MOST_RECORD_BYTES)
      return `the records that are here of this dom0 have ${formatSize(this.used.recordBytes)}, far more than records have: something is wrong there`;
    if (this.used.bytes + missing > total)
      return `with its ${formatSize(bytes)} there would be more than the ${formatSize(total)} that may be kept of this dom0 (--max-bytes)`;
    const found = await statfs(this.root).catch(() => statfs(dirname(this.root)));
    const free = found.bavail * found.bsize;
    const kept = reserve ?? Math.floor((found.blocks * found.bsize) / 10);
    return free - missing < kept
      ? `it needs ${formatSize(missing)}, ${formatSize(free)} are free, and ${formatSize(kept)} must stay free (--reserve)`
      : undefined;
  }

  /** Counts what has come, or with negative numbers what has gone. */
  add({ bytes = 0, backups = 0, recordBytes = 0 }: Partial<Used>): void {
    this.used.bytes += bytes;
    this.used.backups += backups;
    this.used.recordBytes += recordBytes;
  }
}

const RECORD = /^\d{8}T\d{6}Z\.json$/;

async function usedBelow(root: string): Promise<Used> {
  const used = { bytes: 0, backups: 0, recordBytes: 0 };
  if ((await lstat(root).catch(() => undefined)) === undefined) return used;
  for (const { parentPath, name } of await readdir(root, { recursive: true, withFileTypes: true })) {
    const found = await lstat(`${parentPath}/${name}`);
    used.bytes += found.blocks * 512;
    if (!RECORD.test(name)) continue;
    used.backups += 1;
    used.recordBytes += found.size;
  }
  return used;
}
