/** What the commands on a repository's directory are given. */
import { resolve } from 'node:path';
import { GuestflowError } from '../../contract/errors.ts';

export interface ListOptions {
  readonly json?: true;
  readonly repository?: string;
  readonly backup?: string;
  readonly cfg?: true;
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

export interface RestoreOptions {
  readonly json?: true;
  readonly repository?: string;
  readonly backup?: string;
  readonly to?: string;
  readonly overwrite?: true;
}
