/** A backup host's copy of one guest's backups: the same files as in a dom0's repository, and when each of them came. */
import { lstat, mkdir, readdir, rename, rm, rmdir } from 'node:fs/promises';
import { dirname } from 'node:path';
import { BACKUP_ID, type Proof, type StoredBackup } from '../../../../contract/backup.ts';
import { GuestflowError } from '../../../../contract/errors.ts';
import { PART_SUFFIX, syncDirectory, writeWhole } from '../../../../system/whole-file.ts';
import { SUFFIXES } from '../containers/zstd-file.ts';
import { proofName, proofText } from '../proof.ts';
import { protectionName, protectionText } from '../protection.ts';
import { recordText } from '../record.ts';
import { arrivalIn, readArrival, writeArrival, type Arrival } from '../repositories/arrival.ts';
import { readGuestOf, type FoundBackup } from '../repositories/reading.ts';

/** What there is of a guest. Each map is by id. */
export interface Here {
  readonly whole: ReadonlyMap<string, FoundBackup>;
  /** What is wrong with them. */
  readonly damaged: ReadonlyMap<string, string>;
  readonly arrivals: ReadonlyMap<string, Arrival>;
}

export class Place {
  private readonly root: string;
  private readonly guest: string;
  private readonly directory: string;

  /** @param root the directory of the dom0's backups @param guest a name that was checked */
  constructor(root: string, guest: string) {
    this.root = root;
    this.guest = guest;
    this.directory = `${root}/${guest}`;
  }

  /** Where a backup is until it is whole. */
  part(id: string): string {
    return `${this.directory}/${id}${PART_SUFFIX}`;
  }

  async look(): Promise<Here> {
    if ((await kindOf(this.directory)) === undefined) return { whole: new Map(), damaged: new Map(), arrivals: new Map() };
    const { backups, damaged } = await readGuestOf(this.root, this.guest);
    const arrivals = new Map<string, Arrival>();
    for (const id of (await readdir(this.directory)).map(arrivalIn)) {
      const arrival = id === undefined ? undefined : await readArrival(this.directory, id);
      if (id !== undefined && arrival !== undefined) arrivals.set(id, arrival);
    }
    return {
      whole: new Map(backups.map((backup) => [backup.id, backup])),
      damaged: new Map(damaged.map(({ record, reason }) => [record.replace(/\.json$/, ''), reason])),
      arrivals,
    };
  }

  /** Makes the directory. A file that a killed pull has renamed, but not recorded, is a part again. */
  async open(id: string): Promise<void> {
    await mkdir(this.directory, { mode: 0o700 })
      .then(() => syncDirectory(this.root))
      .catch((error: unknown) => {
        if (!isOneOf(error, 'EEXIST')) throw error;
      });
    await this.mustBeNew(id);
    for (const suffix of Object.values(SUFFIXES))
      if ((await kindOf(`${this.directory}/${id}${suffix}`)) !== undefined) await rename(`${this.directory}/${id}${suffix}`, this.part(id));
  }

  /** Makes a backup of a part that is whole and on the disk. Its record, which makes it one, comes last. */
  async record(backup: StoredBackup, arrivedAt: Date): Promise<void> {
    await this.mustBeNew(backup.id);
    const path = `${this.directory}/${backup.id}${SUFFIXES[backup.engine]}`;
    await rename(this.part(backup.id), path);
    await syncDirectory(dirname(path));
    await writeArrival(this.directory, backup.id, { arrivedAt: arrivedAt.toISOString() });
    await writeWhole(this.recordPath(backup.id), recordText(backup));
  }

  /** Keeps what the dom0 says of a proof, which is of the file that came, by its sum. */
  async prove(backup: StoredBackup, proof: Proof): Promise<void> {
    await writeWhole(`${this.directory}/${proofName(backup.id)}`, proofText(backup, proof));
  }

  /** From now on retention here leaves it alone: until who has this machine removes that file. */
  async protect(backup: StoredBackup): Promise<void> {
    await writeWhole(`${this.directory}/${protectionName(backup.id)}`, protectionText(backup, new Date()));
  }

  /** Removes a backup, and remembers that it was here: a kill at any instruction leaves it whole, or to be removed by the next pull. */
  async remove({ id, path }: FoundBackup, arrivedAt: string, now: Date): Promise<void> {
    await writeArrival(this.directory, id, { arrivedAt, removedAt: now.toISOString() });
    await rm(this.recordPath(id));
    // A record must not outlive its file.
    await syncDirectory(this.directory);
    for (const name of [proofName(id), protectionName(id)]) await rm(`${this.directory}/${name}`, { force: true });
    await rm(path);
    await syncDirectory(this.directory);
  }

  /** Removes what is half here and will not be taken, what is remembered of backups that the dom0 has no more, and an empty place. What has a record stays. */
  async tidy(isWanted: (id: string) => boolean, isOffered: (id: string) => boolean): Promise<void> {
    const names = (await kindOf(this.directory)) === undefined ? [] : await readdir(this.directory);
    const all = new Set(names);
    for (const name of names) {
      const [id = ''] = name.split('.');
      if (!BACKUP_ID.test(id) || all.has(`${id}.json`)) continue;
      if (arrivalIn(name) === undefined ? !isWanted(id) : !isOffered(id)) await rm(`${this.directory}/${name}`);
    }
    // The dom0 decides how many names of guests it has; nothing may be left of those of which nothing came.
    await rmdir(this.directory).catch((error: unknown) => {
      if (!isOneOf(error, 'ENOTEMPTY', 'ENOENT')) throw error;
    });
  }

  /** Nothing that is there is ever written over. */
  private async mustBeNew(id: string): Promise<void> {
    if ((await kindOf(this.recordPath(id))) !== undefined)
      throw new GuestflowError('NotOurs', `${this.recordPath(id)} is there already: it is left as it is`, { field: 'into' });
  }

  private recordPath(id: string): string {
    return `${this.directory}/${id}.json`;
  }
}

async function kindOf(path: string): Promise<object | undefined> {
  return await lstat(path).catch((error: unknown) => {
    if (isOneOf(error, 'ENOENT')) return undefined;
    throw error;
  });
}

function isOneOf(error: unknown, ...codes: string[]): boolean {
  return error instanceof Error && 'code' in error && codes.includes(String(error.code));
}
