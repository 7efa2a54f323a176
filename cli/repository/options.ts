/** What the commands on a repository's directory are given. */
import { resolve } from 'node:path';
import { PASSPHRASE_FILE } from '../../contract/backup-place.ts';
import { GuestflowError } from '../../contract/errors.ts';

export interface ListOptions {
  readonly json?: true;
  readonly repository?: string;
  readonly backup?: string;
  readonly cfg?: true;
  readonly ls?: string;
  readonly diff?: readonly string[];
  readonly tmp?: string;
  readonly passphraseFile?: string;
}

/** The directory's absolute path. */
export function directoryOf(repository: string | undefined): string {
  if (repository === undefined || repository === '')
    throw new GuestflowError('InvalidInput', 'no repository was named', {
      field: 'repository',
      mend: 'name its directory: --repository DIR',
    });
  return resolve(repository);
}

/** The absolute path of the file of a borg repository's passphrase. */
export function passphraseFileOf({ passphraseFile }: Pick<ListOptions, 'passphraseFile'>): string {
  return passphraseFile === undefined ? PASSPHRASE_FILE : resolve(passphraseFile);
}

export interface RestoreOptions {
  readonly json?: true;
  readonly repository?: string;
  readonly backup?: string;
  readonly to?: string;
  readonly overwrite?: true;
  readonly file?: readonly string[];
  readonly tmp?: string;
  readonly passphraseFile?: string;
}

export interface PullOptions {
  readonly json?: true;
  readonly from: string;
  readonly into: string;
  readonly dom0?: string;
  readonly identity?: string;
  readonly knownHosts?: string;
  readonly port?: string;
  readonly retention?: string;
  readonly maxBytes?: string;
  readonly maxBackupBytes?: string;
  readonly reserve?: string;
  readonly verify?: true;
  readonly dryRun?: true;
}

export interface ServeOptions {
  readonly repository: string;
}

/** The program that reads file systems in a cage: a bundle, which each of our programs has in its own way. */
export type ReaderProgram = () => Promise<Uint8Array>;
