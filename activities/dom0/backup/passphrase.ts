/** The passphrase of a dom0's borg repositories: a file that only root reads. Whoever has lost it has lost what is in them. */
import { randomBytes } from 'node:crypto';
import { GuestflowError } from '../../../contract/errors.ts';
import type { HostFiles } from '../../../system/host.ts';

/** The name of a guest's borg repository in the guest's place. */
export const BORG = 'borg';

/** Random bytes of a passphrase that is made here: 32 letters. */
const BYTES = 20;
const SHORTEST = 8;
const MOST_BYTES = 1_024;

/** What is wrong with the file of a passphrase, and what to do; undefined if nothing is. */
export async function whyNotSecret(
  files: HostFiles,
  path: string,
): Promise<{ readonly reason: string; readonly mend: string } | undefined> {
  const found = await files.info(path);
  if (found === undefined)
    return { reason: 'is not there', mend: 'put back the copy that you have kept; for a new dom0: guestflow dom0 prepare HOST' };
  if (found.kind !== 'file' || found.bytes > MOST_BYTES) return { reason: 'is no small file', mend: `put the passphrase into ${path}` };
  if ((found.mode & 0o077) !== 0) return { reason: 'can be read by others than its owner', mend: `chmod 600 ${path}` };
  const length = ((await files.read(path))?.toString('utf8') ?? '').replace(/\n+$/, '').length;
  return length < SHORTEST
    ? { reason: `has ${length} letters, fewer than ${SHORTEST}`, mend: `put the passphrase into ${path}` }
    : undefined;
}

/**
 * @param field what errors are about. Default: the dom0's setting.
 * @throws HostNotReady unless the file is there, has something in it, and only its owner may read it
 */
export async function mustBeSecret(files: HostFiles, path: string, field = 'backupPassphraseFile'): Promise<void> {
  const why = await whyNotSecret(files, path);
  if (why !== undefined)
    throw new GuestflowError('HostNotReady', `the passphrase of the borg repositories is missing: ${path} ${why.reason}`, {
      field,
      value: path,
      mend: why.mend,
    });
}

const LETTERS = 'abcdefghijkmnpqrstuvwxyz23456789';

/**
 * Makes a passphrase, unless there is a file already, or a repository: that was made with another one, which only its operator can bring back.
 *
 * @param backupDir the directory of backups, with a place for each guest
 */
export async function ensurePassphrase(files: HostFiles, path: string, backupDir: string): Promise<void> {
  if ((await files.info(path)) !== undefined) return;
  for (const guest of await files.list(backupDir)) if ((await files.info(`${backupDir}/${guest}/${BORG}`)) !== undefined) return;
  await files.writeAtomic(path, `${newPassphrase()}\n`, 0o600);
}

/** A new passphrase, of letters that a person can copy. 5 bits each. */
function newPassphrase(): string {
  let bits = BigInt(`0x${randomBytes(BYTES).toString('hex')}`);
  let text = '';
  for (let at = 0; at < (BYTES * 8) / 5; at += 1) {
    text += LETTERS[Number(bits & 31n)] ?? '';
    bits >>= 5n;
  }
  return text;
}
