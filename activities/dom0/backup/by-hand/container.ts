/** What holds the content of a backup that was found in a repository's directory, for work by hand. */
import { tmpdir } from 'node:os';
import { dirname } from 'node:path';
import type { HandWork } from '../../work.ts';
import { ZstdFile } from '../containers/zstd-file.ts';
import { withPrivatePlace } from '../files/private-place.ts';
import { mustBeSecret } from '../passphrase.ts';
import type { Container } from '../port.ts';
import { borgPlace, BorgRepository } from '../repositories/borg-repository.ts';
import type { FoundBackup } from '../repositories/reading.ts';

/**
 * Works with what holds the backup. What borg remembers meanwhile is put into a private directory, so that nothing beside the repository changes but a lock.
 *
 * @param passphraseFile of the borg repository, where the backup is in one
 * @throws HostNotReady when that is needed, and is not there
 */
export async function withContainer<T>(
  work: HandWork,
  backup: FoundBackup,
  passphraseFile: string,
  job: (container: Container) => Promise<T>,
): Promise<T> {
  if (backup.keptBy === undefined) return await job(new ZstdFile(work, backup.path));
  await mustBeSecret(work.host.files, passphraseFile, 'passphrase-file');
  return await withPrivatePlace(tmpdir(), async (base) => {
    const repository = new BorgRepository(work, { ...borgPlace(dirname(backup.path), passphraseFile), base });
    return await job(repository.container(backup.id));
  });
}
