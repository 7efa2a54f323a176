/** What `pull-backups` is asked for, checked before anybody is asked for anything. */
import { constants } from 'node:fs';
import { access, realpath } from 'node:fs/promises';
import { resolve } from 'node:path';
import type { Limits } from '../../activities/dom0/backup/remote/room.ts';
import { forcedCommandOf, type Remote } from '../../activities/dom0/tools/pull-ssh.ts';
import type { Retention } from '../../contract/backup.ts';
import { defined } from '../../contract/defined.ts';
import { GuestflowError } from '../../contract/errors.ts';
import { DOM0_NAME_PATTERN } from '../../contract/guest-name.ts';
import { GiB, parseSize } from '../../contract/sizes.ts';
import type { PullOptions } from './options.ts';

/** The user that the dom0's package makes. */
const USER = 'guestflow-pull';
const MOST_OF_ONE = 256 * GiB;

/** Where a pull comes from, where it goes, and what it may take. */
export interface Asked {
  readonly remote: Remote;
  readonly dom0: string;
  /** The directory of this dom0. */
  readonly root: string;
  readonly limits: Limits;
  readonly retention: Retention | undefined;
}

/** @throws InvalidInput */
export async function checkedOptions(options: PullOptions): Promise<Asked> {
  const remote = await remoteOf(options);
  const { dom0 = remote.host } = options;
  if (!DOM0_NAME_PATTERN.test(dom0))
    refuse('dom0', dom0, 'is no name of a directory: letters a-z, digits, dots and hyphens', 'name it: --dom0 NAME');
  const [limits, retention] = [limitsOf(options), retentionOf(options.retention)];
  return { remote, dom0, root: `${await directoryAt(options.into)}/${dom0}`, limits, retention };
}

async function remoteOf({ from, port, identity, knownHosts }: PullOptions): Promise<Remote> {
  const [, user = USER, host = ''] = /^(?:([^@]*)@)?([^@]*)$/.exec(from) ?? [];
  if (host === '') refuse('from', from, 'names no host', 'write HOST or USER@HOST');
  if (port !== undefined && !(/^[1-9]\d{0,4}$/.test(port) && Number(port) <= 65_535))
    refuse('port', port, 'is no port', 'write a number, 1-65535');
  const remote = {
    ...{ user, host },
    ...defined({
      port: port === undefined ? undefined : Number(port),
      identity: await fileAt('identity', identity, 'make a key as this user: ssh-keygen -t ed25519 -f FILE'),
      knownHosts: await fileAt('known-hosts', knownHosts, "write the dom0's host key into it: HOST ssh-ed25519 AAAA…"),
    }),
  };
  forcedCommandOf(remote);
  return remote;
}

/** ssh itself goes on without a file that it cannot read, and fails for another reason. */
async function fileAt(field: string, file: string | undefined, mend: string): Promise<string | undefined> {
  if (file === undefined) return undefined;
  await access(file, constants.R_OK).catch((error: unknown) =>
    refuse(field, file, `cannot be read: ${error instanceof Error ? error.message : String(error)}`, mend),
  );
  return resolve(file);
}

function limitsOf({ maxBytes, maxBackupBytes, reserve }: PullOptions): Limits {
  const [total, one, kept] = [sizeOf('max-bytes', maxBytes), sizeOf('max-backup-bytes', maxBackupBytes), sizeOf('reserve', reserve)];
  return { one: one ?? MOST_OF_ONE, ...defined({ total, reserve: kept }) };
}

function sizeOf(field: string, text: string | undefined): number | undefined {
  const bytes = text === undefined ? undefined : parseSize(text);
  return text === undefined ? undefined : (bytes ?? refuse(field, text, 'is no size', 'write a size, like 500GiB'));
}

const RULES = ['hourly', 'daily', 'weekly', 'monthly', 'yearly'] as const satisfies readonly (keyof Retention)[];

/** `daily=7,weekly=4`. Not `last`: a dom0 that somebody has broken into can make any number of backups. */
function retentionOf(text: string | undefined): Retention | undefined {
  if (text === undefined) return undefined;
  const mend = `write one or more of ${RULES.join(', ')}, each once, with a number 1-366: daily=7,weekly=4`;
  const parts = text.split(',').map((part) => /^([a-z]+)=([1-9]\d{0,2})$/.exec(part));
  const rules = parts.map((part) => RULES.find((rule) => rule === part?.[1]));
  const counts = parts.map((part) => Number(part?.[2]));
  if (text.includes('last='))
    refuse('retention', text, 'has "last", which counts backups: a dom0 could make so many that no older one stays', mend);
  if (rules.includes(undefined) || new Set(rules).size < rules.length || counts.some((count) => !(count <= 366)))
    refuse('retention', text, 'is no retention', mend);
  return Object.fromEntries(rules.map((rule, index) => [rule, counts[index]])) as Retention;
}

/** The directory without links, so that one directory has one lock. It must be there: one that was not mounted must not fill the disk below it. */
async function directoryAt(into: string): Promise<string> {
  return await realpath(into).catch((error: unknown) =>
    refuse('into', into, `cannot be used: ${error instanceof Error ? error.message : String(error)}`, 'make it, or mount what it is on'),
  );
}

function refuse(field: string, value: string, why: string, mend: string): never {
  throw new GuestflowError('InvalidInput', `--${field} ${JSON.stringify(value)} ${why}`, { field, value, mend });
}
