/** A directory of the dom0 as a repository. Below it, each guest has a directory with our mark, which holds a file and a record for each backup. */
import { BACKUP_ID, type Proof, type StoredBackup } from '../../../../contract/backup.ts';
import { PART_SUFFIX, type FileSink } from '../../../../system/host.ts';
import { markedThings } from '../../inventory/marked-directories.ts';
import type { Thing } from '../../inventory/thing.ts';
import { isOwner, MARKER_FILE, markerOwner, mustOwn, type Ref } from '../../marks.ts';
import { makeMarkedDirectory, removeMarkedDirectory } from '../../staging.ts';
import type { Work } from '../../work.ts';
import { backupId, type Listing, type Repository } from '../port.ts';
import { proofName, proofText, withProof } from '../proof.ts';
import { protectionName, protectionText, withProtection } from '../protection.ts';
import { readRecord, recordText } from '../record.ts';

const RECORD = /^\d{8}T\d{6}Z\.json$/;

export class DirectoryRepository implements Repository {
  readonly name: string;
  private readonly work: Work;

  constructor(work: Work) {
    this.work = work;
    this.name = work.settings.backupDir;
  }

  async open(ref: Ref): Promise<void> {
    const { directory } = await this.modes();
    await makeMarkedDirectory(this.work.host.files, this.placeOf(ref.name), ref, directory);
    await this.discardHalf(ref);
  }

  async freeTime(guest: string): Promise<Date> {
    let at = new Date();
    while ((await this.work.host.files.info(this.recordPath(guest, backupId(at)))) !== undefined) at = new Date(at.getTime() + 1_000);
    return at;
  }

  keyOf(guest: string, id: string, suffix: string): string {
    return `${guest}/${id}${suffix}`;
  }

  async sink(key: string): Promise<FileSink> {
    const { file } = await this.modes();
    return await this.work.host.files.sink(this.path(key), file);
  }

  path(key: string): string {
    return `${this.name}/${key}`;
  }

  /** Writes the record, which makes the file a backup. A file without a record is a leftover that the next backup removes. */
  async record(backup: StoredBackup): Promise<void> {
    const { file } = await this.modes();
    await this.work.host.files.writeAtomic(this.recordPath(backup.guest, backup.id), recordText(backup), file);
  }

  async prove(backup: StoredBackup, proof: Proof): Promise<StoredBackup> {
    const text = proofText(backup, proof);
    const { file } = await this.modes();
    await this.work.host.files.writeAtomic(`${this.placeOf(backup.guest)}/${proofName(backup.id)}`, text, file);
    return withProof(backup, text);
  }

  async protect(backup: StoredBackup, isProtected: boolean): Promise<StoredBackup> {
    const { files } = this.work.host;
    const path = `${this.placeOf(backup.guest)}/${protectionName(backup.id)}`;
    if (!isProtected) await files.remove(path);
    else if ((await files.info(path)) === undefined)
      await files.writeAtomic(path, protectionText(backup, new Date()), (await this.modes()).file);
    return withProtection(backup, isProtected);
  }

  async list(guest: string): Promise<Listing> {
    const { files } = this.work.host;
    const place = this.placeOf(guest);
    const backups: StoredBackup[] = [];
    const damaged: string[] = [];
    const names = await files.list(place);
    for (const file of names.filter((entry) => RECORD.test(entry)).sort()) {
      const text = await files.read(`${place}/${file}`);
      const backup = text === undefined ? undefined : readRecord(text.toString('utf8'));
      if (backup?.guest === guest && `${backup.id}.json` === file)
        backups.push(
          withProtection(
            withProof(backup, (await files.read(`${place}/${proofName(backup.id)}`))?.toString('utf8')),
            names.includes(protectionName(backup.id)),
          ),
        );
      else if (text !== undefined) damaged.push(file);
    }
    return { backups, damaged };
  }

  /** Removes the record first: a file without one is no backup any more, and the next attempt removes it. */
  async remove(ref: Ref, ids: readonly string[]): Promise<number> {
    const { files } = this.work.host;
    const place = this.placeOf(ref.name);
    const names = await files.list(place);
    const going = names.filter((name) => ids.includes(name.split('.')[0] ?? '') && BACKUP_ID.test(name.split('.')[0] ?? ''));
    if (going.length === 0) return 0;
    mustOwn(markerOwner(await files.read(`${place}/${MARKER_FILE}`)), ref, place);
    let freed = 0;
    for (const name of [...going].sort((a, b) => Number(RECORD.test(b)) - Number(RECORD.test(a)))) {
      freed += (await files.info(`${place}/${name}`))?.allocatedBytes ?? 0;
      await files.remove(`${place}/${name}`);
    }
    return freed;
  }

  async discardHalf(ref: Ref): Promise<void> {
    const { files } = this.work.host;
    const place = this.placeOf(ref.name);
    if (!isOwner(markerOwner(await files.read(`${place}/${MARKER_FILE}`)), ref)) return;
    const names = await files.list(place);
    for (const name of names) {
      const [id = ''] = name.split('.');
      const isUnrecorded = name !== MARKER_FILE && !RECORD.test(name) && !names.includes(`${id}.json`);
      if (name.endsWith(PART_SUFFIX) || (isUnrecorded && BACKUP_ID.test(id))) await files.remove(`${place}/${name}`);
    }
  }

  async removeAll(ref: Ref): Promise<void> {
    await removeMarkedDirectory(this.work.host.files, this.placeOf(ref.name), ref);
  }

  async things(guest?: string): Promise<Thing[]> {
    return await markedThings(this.work.host.files, 'backups', this.name, guest);
  }

  /**
   * Who may read what is written: its owner, root; and the group of the repository's directory, if that has the set-group-id bit, by which all below it
   * gets that group.
   */
  private async modes(): Promise<{ readonly directory: number; readonly file: number }> {
    const mode = (await this.work.host.files.info(this.name))?.mode ?? 0;
    return (mode & 0o2050) === 0o2050 ? { directory: 0o750, file: 0o640 } : { directory: 0o700, file: 0o600 };
  }

  private placeOf(guest: string): string {
    return `${this.name}/${guest}`;
  }

  private recordPath(guest: string, id: string): string {
    return `${this.placeOf(guest)}/${id}.json`;
  }
}
