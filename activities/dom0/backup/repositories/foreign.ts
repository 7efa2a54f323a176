/**
 * A directory of backups that another dom0 has taken, or a copy of one: it is read, and never written to. Whoever had it may have written anything into it:
 * no link is followed, a record is read up to a bound and checked, and paths are built, never taken.
 */
import { GuestflowError } from '../../../../contract/errors.ts';
import { whyNotGuestName } from '../../../../contract/guest-name.ts';
import { guestSpecSchema } from '../../../../contract/wire.ts';
import type { StoredBackup } from '../../../../contract/backup.ts';
import type { Work } from '../../work.ts';
import { SUFFIXES, ZstdFile } from '../containers/zstd-file.ts';
import type { BackupSource, Container, Haste, Kept, Listing } from '../port.ts';
import { inBackground } from '../background.ts';
import { proofName, withProof } from '../proof.ts';
import { checkedRecord, MOST_RECORD_BYTES } from './reading.ts';

const RECORD = /^(\d{8}T\d{6}Z)\.json$/;

export class ForeignRepository implements BackupSource {
  readonly name: string;
  private readonly work: Work;

  constructor(work: Work, directory: string) {
    this.work = work;
    this.name = directory;
  }

  /** Backups whose file is there; their keys are made of that, whatever the records say. A record that is not what was written, and one without its file, count as damaged. */
  async list(guest: string): Promise<Listing> {
    const { files } = this.work.host;
    const place = `${this.name}/${guest}`;
    const backups: StoredBackup[] = [];
    const damaged: string[] = [];
    if (whyNotGuestName(guest) !== undefined || (await files.info(place))?.kind !== 'directory') return { backups, damaged };
    for (const file of (await files.list(place)).sort()) {
      const id = RECORD.exec(file)?.[1];
      if (id === undefined) continue;
      const found = await this.readOne(place, { guest, id });
      if (found === undefined) damaged.push(file);
      else backups.push(found);
    }
    return { backups, damaged };
  }

  private async readOne(place: string, { guest, id }: { guest: string; id: string }): Promise<StoredBackup | undefined> {
    const text = await this.smallFile(`${place}/${id}.json`);
    const backup = text === undefined ? 'there is none' : checkedRecord(text, { guest, id });
    if (typeof backup === 'string') return undefined;
    const spec = guestSpecSchema.safeParse(backup.spec);
    if (!spec.success) return undefined;
    const checked = { ...withProof(backup, await this.smallFile(`${place}/${proofName(id)}`)), spec: spec.data };
    if (backup.keptBy !== undefined) return checked;
    const key = `${guest}/${id}${SUFFIXES[backup.engine]}`;
    const file = await this.work.host.files.info(`${this.name}/${key}`);
    return file?.kind === 'file' && file.bytes === backup.bytes ? { ...checked, key } : undefined;
  }

  private async smallFile(path: string): Promise<string | undefined> {
    const { files } = this.work.host;
    const found = await files.info(path);
    if (found?.kind !== 'file' || found.bytes > MOST_RECORD_BYTES) return undefined;
    return (await files.readHead(path, MOST_RECORD_BYTES))?.toString('utf8');
  }

  /** @throws InvalidInput for a backup in a borg repository, whose passphrase this dom0 has not got */
  container({ key, keptBy }: Kept, haste: Haste = 'in background'): Container {
    if (keptBy !== undefined)
      throw new GuestflowError(
        'InvalidInput',
        `${key} in ${this.name} lies in a borg repository, for which this dom0 has no passphrase`,
        { field: 'backup', mend: 'restore it by hand: docs/restore.md' },
        false,
      );
    return new ZstdFile(haste === 'at once' ? this.work : inBackground(this.work), `${this.name}/${key}`);
  }
}
