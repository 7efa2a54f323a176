/** A directory of backups, as the engine `blocks` leaves it, of file systems that a test makes. */
import { createHash } from 'node:crypto';
import { mkdirSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { recordText } from '../../activities/dom0/backup/record.ts';
import { storedBackup } from '../a-backup.ts';
import { host } from './machine.ts';

export const ID = '20261123T020000Z';

/** Puts what is in an image into a repository, as the backup of a guest; returns the repository's directory. */
export async function repositoryOf(directory: string, image: string, guest = 'web1', id = ID): Promise<string> {
  const repository = join(directory, 'repository');
  mkdirSync(join(repository, guest), { recursive: true });
  const chunks: Uint8Array[] = [];
  await host.pipeline([{ tool: 'zstd', args: ['-q', '-c', '--', image] }], { sink: (chunk) => void chunks.push(chunk) });
  const file = Buffer.concat(chunks);
  writeFileSync(join(repository, guest, `${id}.img.zst`), file);
  const sha256 = createHash('sha256').update(file).digest('hex');
  const record = {
    ...storedBackup(guest, id),
    ...{ bytes: file.length, sha256, dumpedBytes: statSync(image).size },
  };
  writeFileSync(join(repository, guest, `${id}.json`), recordText(record));
  return repository;
}

/** The used blocks of a file system that is sound, and zeros between them: what a backup holds. */
export async function usedBlocks(directory: string, snapshot: string): Promise<string> {
  await host.run('e2fsck', ['-f', '-p', snapshot], { okCodes: [0, 1] });
  const image = join(directory, 'used.img');
  await host.run('e2image', ['-ra', snapshot, image]);
  return image;
}
