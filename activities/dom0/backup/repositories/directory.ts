/**
 * A directory of the dom0 as a repository. Below it, each guest has a directory with our mark, which holds a record of each backup. The content is in a file
 * beside that, or in the guest's borg repository, which is in the directory, too: as the dom0's settings said when it was taken.
 */
import { BACKUP_ID, type BackupEngine, type Proof, type StoredBackup } from '../../../../contract/backup.ts';
import type { PreflightRow } from '../../../../contract/dom0.ts';
import { PART_SUFFIX } from '../../../../system/host.ts';
import { markedThings } from '../../inventory/marked-directories.ts';
import type { Thing } from '../../inventory/thing.ts';
import { isOwner, MARKER_FILE, markerOwner, mustOwn, type Ref } from '../../marks.ts';
import { makeMarkedDirectory, removeMarkedDirectory } from '../../staging.ts';
import type { Work } from '../../work.ts';
import { SUFFIXES, ZstdFile } from '../containers/zstd-file.ts';
import { inBackground } from '../background.ts';
import { ensurePassphrase } from '../passphrase.ts';
import { backupId, type Container, type Haste, type Kept, type Listing, type Repository } from '../port.ts';
import { proofName, proofText, withProof } from '../proof.ts';
import { protectionName, protectionText, withProtection } from '../protection.ts';
import { readRecord, recordText } from '../record.ts';
import { borgRows } from './borg-preflight.ts';
import { borgKey, borgPlace, BorgRepository, idIn } from './borg-repository.ts';

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
    if (this.isBorg()) await this.borgOf(ref.name).ensure();
    await this.removeHalf(ref);
  }

  async freeTime(guest: string): Promise<Date> {
    let at = new Date();
    while ((await this.work.host.files.info(this.recordPath(guest, backupId(at)))) !== undefined) at = new Date(at.getTime() + 1_000);
    return at;
  }

  keptAs(guest: string, id: string, engine: BackupEngine): Kept {
    return this.isBorg() ? { key: borgKey(guest, id), keptBy: 'borg' } : { key: `${guest}/${id}${SUFFIXES[engine]}` };
  }

  container({ key, keptBy }: Kept, haste: Haste = 'in background'): Container {
    const work = haste === 'at once' ? this.work : inBackground(this.work);
    if (keptBy === undefined) return new ZstdFile(work, `${this.name}/${key}`, async () => (await this.modes()).file);
    const { guest, id } = idIn(key);
    return this.borgOf(guest, work).container(id);
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

  /** Removes records first: what has none is no backup any more, and the next attempt removes it. */
  async remove(ref: Ref, ids: readonly string[]): Promise<number> {
    const { files } = this.work.host;
    const place = this.placeOf(ref.name);
    const names = await files.list(place);
    const going = names.filter((name) => ids.includes(name.split('.')[0] ?? '') && BACKUP_ID.test(name.split('.')[0] ?? ''));
    const archives = await this.archivesOf(ref.name, ids);
    if (going.length === 0 && archives.length === 0) return 0;
    mustOwn(markerOwner(await files.read(`${place}/${MARKER_FILE}`)), ref, place);
    let freed = 0;
    for (const name of [...going].sort((a, b) => Number(RECORD.test(b)) - Number(RECORD.test(a)))) {
      freed += (await files.info(`${place}/${name}`))?.allocatedBytes ?? 0;
      await files.remove(`${place}/${name}`);
    }
    return freed + (await this.borgOf(ref.name).remove(archives));
  }

  /** Those of these ids that borg holds, whether there are records of them or not. @throws BackupUnusable */
  private async archivesOf(guest: string, ids: readonly string[]): Promise<string[]> {
    const recorded = await this.idsInBorg(guest);
    const borg = this.borgOf(guest);
    if (!recorded.some((id) => ids.includes(id)) && !(this.isBorg() && (await borg.isThere()))) return [];
    return await borg.removable(ids, recorded);
  }

  async discardHalf(ref: Ref): Promise<void> {
    await this.removeHalf(ref);
    const { files } = this.work.host;
    const place = this.placeOf(ref.name);
    // Of a first backup that did not come to its end nothing is left.
    const names = await files.list(place);
    if (names.every((name) => name === MARKER_FILE)) await removeMarkedDirectory(files, place, ref);
  }

  private async removeHalf(ref: Ref): Promise<void> {
    const { files } = this.work.host;
    const place = this.placeOf(ref.name);
    if (!isOwner(markerOwner(await files.read(`${place}/${MARKER_FILE}`)), ref)) return;
    const names = await files.list(place);
    for (const name of names) {
      const [id = ''] = name.split('.');
      const isUnrecorded = name !== MARKER_FILE && !RECORD.test(name) && !names.includes(`${id}.json`);
      if (name.endsWith(PART_SUFFIX) || (isUnrecorded && BACKUP_ID.test(id))) await files.remove(`${place}/${name}`);
    }
    const borg = this.borgOf(ref.name);
    if (this.isBorg() && (await borg.isThere()))
      await borg.discardHalf((id) => names.includes(`${id}.json`), await this.idsInBorg(ref.name));
  }

  async removeAll(ref: Ref): Promise<void> {
    await removeMarkedDirectory(this.work.host.files, this.placeOf(ref.name), ref);
  }

  async preflight(): Promise<PreflightRow[]> {
    return this.isBorg() ? await borgRows(this.work) : [];
  }

  async prepare(): Promise<void> {
    const { host, settings } = this.work;
    await host.files.makeDirectory(this.name, 0o700);
    if (this.isBorg()) await ensurePassphrase(host.files, settings.backupPassphraseFile, this.name);
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

  /** Whether new backups go to borg. */
  private isBorg(): boolean {
    return this.work.settings.backupRepository === 'borg';
  }

  private borgOf(guest: string, work = this.work): BorgRepository {
    return new BorgRepository(work, borgPlace(this.placeOf(guest), this.work.settings.backupPassphraseFile));
  }

  /** Ids of the backups of which a record says that their content is in borg. */
  private async idsInBorg(guest: string): Promise<string[]> {
    return (await this.list(guest)).backups.filter(({ keptBy }) => keptBy === 'borg').map(({ id }) => id);
  }

  private placeOf(guest: string): string {
    return `${this.name}/${guest}`;
  }

  private recordPath(guest: string, id: string): string {
    return `${this.placeOf(guest)}/${id}.json`;
  }
}
