/** The borg repository of one guest, in the guest's place: the content of backups, whose records lie beside it. */
import { BACKUP_ID } from '../../../../contract/backup.ts';
import { GuestflowError } from '../../../../contract/errors.ts';
import { whyNotGuestName } from '../../../../contract/guest-name.ts';
import type { HostFiles } from '../../../../system/host.ts';
import { Borg, type BorgPlace } from '../../tools/borg.ts';
import type { HandWork } from '../../work.ts';
import { BorgArchive } from '../containers/borg-archive.ts';
import { BORG, mustBeSecret } from '../passphrase.ts';

/** The name in records of the archive of a backup. */
export function borgKey(guest: string, id: string): string {
  return `${guest}/${BORG}::${id}`;
}

/** @throws BackupUnusable when it is no such key */
export function idIn(key: string): { readonly guest: string; readonly id: string } {
  const [, guest, id] = /^([^/]+)\/borg::(\d{8}T\d{6}Z)$/.exec(key) ?? [];
  if (guest !== undefined && id !== undefined && whyNotGuestName(guest) === undefined) return { guest, id };
  throw new GuestflowError('BackupUnusable', `${JSON.stringify(key)} names no archive of a borg repository`, { field: 'key' }, false);
}

/** Where things of a guest's borg repository are. @param place the guest's directory */
export function borgPlace(place: string, passphraseFile: string): BorgPlace {
  return { repository: `${place}/${BORG}`, base: `${place}/${BORG}.base`, lock: `${place}/${BORG}.lock`, passphraseFile };
}

export class BorgRepository {
  private readonly work: HandWork;
  private readonly borg: Borg;

  constructor(work: HandWork, place: BorgPlace) {
    this.work = work;
    this.borg = new Borg(work, place);
  }

  async isThere(): Promise<boolean> {
    return (await this.work.host.files.info(this.borg.place.repository)) !== undefined;
  }

  /**
   * Makes the repository, or finds it. A copy of its key, encrypted by the passphrase as the key itself is, lies beside it.
   *
   * @throws HostNotReady when there is no passphrase
   */
  async ensure(): Promise<void> {
    const { files } = this.work.host;
    const { repository } = this.borg.place;
    await mustBeSecret(files, this.borg.place.passphraseFile);
    if (await this.isThere()) return;
    // It gets its name when it is whole.
    const unfinished = `${repository}.new`;
    await files.removeTree(unfinished);
    const made = this.borg.at(unfinished);
    await made.init();
    await files.remove(`${repository}.key`);
    await made.exportKey(`${repository}.key`);
    await files.rename(unfinished, repository);
  }

  container(id: string): BorgArchive {
    return new BorgArchive(this.work, this.borg, id);
  }

  /**
   * Those of these ids that are here.
   *
   * @param recorded ids of all backups of which a record says that they are here
   * @throws BackupUnusable when one that is to stay is not here: what is left of it would be lost by the next removal
   */
  async removable(ids: readonly string[], recorded: readonly string[]): Promise<string[]> {
    const { repository } = this.borg.place;
    const here = await this.borg.archives();
    const lost = recorded.filter((id) => !ids.includes(id) && !here.includes(id));
    if (lost.length > 0)
      throw new GuestflowError(
        'BackupUnusable',
        `${repository} has not got ${lost.join(', ')}, of which there are records: nothing is removed from it`,
        { field: 'repository', value: repository, mend: 'docs/backups-borg.md says what can be done' },
        false,
      );
    return here.filter((id) => ids.includes(id));
  }

  /** Removes archives, and gives back what only they held. @returns bytes of the disk that are free again */
  async remove(archives: readonly string[]): Promise<number> {
    if (archives.length === 0) return 0;
    const { repository } = this.borg.place;
    const { files } = this.work.host;
    const before = await sizeBelow(files, repository);
    await this.borg.remove(archives);
    // borg ends well even if it has not found one.
    const left = (await this.borg.archives()).filter((id) => archives.includes(id));
    if (left.length > 0) throw new Error(`borg delete ended well, and ${left.join(', ')} is still in ${repository}`);
    await this.borg.compact();
    return Math.max(0, before - (await sizeBelow(files, repository)));
  }

  /**
   * Removes archives of which there is no record, damaged or not: what killed attempts have left. Others than ours stay.
   *
   * @param isRecorded whether there is a record of this id
   * @param recorded as for `remove`. If one of them is not here, the room is not given back.
   */
  async discardHalf(isRecorded: (id: string) => boolean, recorded: readonly string[]): Promise<void> {
    const here = await this.borg.archives();
    const half = here.filter((id) => BACKUP_ID.test(id) && !isRecorded(id));
    if (half.length === 0) return;
    await this.borg.remove(half);
    if (recorded.every((id) => here.includes(id))) await this.borg.compact();
  }
}

/** Bytes of the disk that the files below a directory take. */
async function sizeBelow(files: HostFiles, directory: string): Promise<number> {
  let bytes = 0;
  for (const name of await files.list(directory)) {
    const found = await files.info(`${directory}/${name}`);
    bytes += found?.kind === 'directory' ? await sizeBelow(files, `${directory}/${name}`) : (found?.allocatedBytes ?? 0);
  }
  return bytes;
}
