/** The commands on a repository's directory, as the programs `guestflow` and `guestflow-dom0` have them. They need no Temporal. */
import type { Command } from 'commander';
import { PASSPHRASE_FILE } from '../../contract/backup-place.ts';
import type { ListOptions, RestoreOptions } from './options.ts';

const OF_BORG = `of backups in a borg repository: the file of its passphrase (default: ${PASSPHRASE_FILE})`;

/** Adds what `backups` can be asked of a repository's directory. */
export function withListing(command: Command): Command {
  return command
    .option('--repository <DIR>', 'look into this directory of backups itself, as root, without Temporal; with no NAME: of all guests')
    .option('--backup <ID>', 'with --repository: all that is known of this one')
    .option('--cfg', "with --repository: print the guest's cfg as it was then")
    .option('--ls <PATH>', 'with --repository: what is in a directory of the newest backup, or of that of --backup')
    .option('--diff <ID...>', 'with --repository: what changed from one backup to another, which are named by two ids')
    .option('--tmp <DIR>', 'with --ls or --diff: unpack the backup below this directory (default: beside the repository)')
    .option('--passphrase-file <FILE>', OF_BORG);
}

/** What only a repository's directory is asked for. */
export const OF_REPOSITORY = ['backup', 'cfg', 'ls', 'diff', 'tmp', 'passphraseFile'] as const satisfies readonly (keyof ListOptions)[];

/** What is restored from a directory only. */
export const OF_TARGET = ['to', 'overwrite', 'file', 'tmp', 'passphraseFile'] as const satisfies readonly (keyof RestoreOptions)[];

/** Adds what can be brought back from a repository's directory, and where to. */
export function withRestoring(command: Command): Command {
  return command
    .option('--repository <DIR>', 'from this directory of backups, as root, without Temporal')
    .option('--backup <ID>', 'which backup (default: the newest that is whole)')
    .option('--to <TARGET>', 'a block device, or a file that is to be made; with --file: a directory that is to be made, or - for a tar')
    .option('--overwrite', 'what is on the device or in the file may go')
    .option('--file <PATH...>', 'only these files and directories, as a tar on standard output or below --to')
    .option('--tmp <DIR>', 'with --file: unpack the backup below this directory (default: beside the repository)')
    .option('--passphrase-file <FILE>', OF_BORG);
}

export const RESTORE = {
  summary: "bring back a guest's disk",
  description:
    'Brings the root file system of a guest back from a directory of backups onto a block device or into a new file. The backup is read to its end and its sum compared; what was written is checked, and compared with the backup. A device that is in use or too small is refused, and one that is not empty without --overwrite. A file has its name only when it is whole. With --file, files and directories come out of the backup: an unprivileged process that can see nothing else reads what the guest has written. What cannot be read is named, and makes the exit code 1.',
} as const;

/** Adds `pull-backups`, without its action. */
export function pullCommand(program: Command): Command {
  return program
    .command('pull-backups')
    .summary('copy the backups of a dom0 to this machine')
    .description(
      'Asks a dom0 over ssh for the backups that are not here, and keeps them below DIR, as `backups --repository` and `restore --repository` read them. What is here is never changed or removed because of what the dom0 says; only --retention removes, by the time at which a backup came here. What a person must look at is named, and makes the exit code 1. docs/backup-host.md has the rest.',
    )
    .requiredOption('--from <[USER@]HOST>', 'the dom0 (user: guestflow-pull)')
    .requiredOption('--into <DIR>', 'where the copies are, one directory a dom0; it must be there')
    .option('--dom0 <NAME>', 'the name of its directory (default: HOST)')
    .option('--identity <FILE>', 'private key (default: those of ssh)')
    .option('--known-hosts <FILE>', "the dom0's host key (default: the files of ssh)")
    .option('--port <N>', 'port of its sshd (default: 22)')
    .option('--retention <SPEC>', 'which stay, like daily=7,weekly=4: hourly, daily, weekly, monthly, yearly (default: all stay)')
    .option('--max-bytes <SIZE>', 'of all that is kept of this dom0 (default: what leaves the reserve)')
    .option('--max-backup-bytes <SIZE>', 'of one backup (default: 256GiB)')
    .option('--reserve <SIZE>', 'what stays free on the file system (default: a tenth of it)')
    .option('--verify', 'read all that is here, and compare it with its sum')
    .option('--dry-run', 'show what would be taken and removed; nothing is changed')
    .option('--json', 'print one JSON document');
}

/** Adds `serve-backups`, without its action. */
export function serveCommand(program: Command): Command {
  return program
    .command('serve-backups')
    .summary('answer one request of a backup host')
    .description(
      'For the forced command of a key in authorized_keys: reads one request from standard input, which may ask for a list of the backups or for one of them, and answers it on standard output. It can do nothing else. docs/backup-host.md has the rest.',
    )
    .option('--repository <DIR>', 'directory of the backups', '/var/backups/guestflow');
}
