/** Where a backup lies, for people. */
import type { BackupRecord } from './backup.ts';

/** The file of a backup in a directory of the dom0. */
export function backupPlace({ repository, key }: Pick<BackupRecord, 'repository' | 'key'>): string {
  return `${repository}/${key}`;
}

/** Where the passphrase of a dom0's borg repositories is, if nobody says otherwise. */
export const PASSPHRASE_FILE = '/var/lib/guestflow/backup-passphrase';
