/** Keys of the payload codec, from a file that only its owner can read or from a systemd credential; never from arguments or values of the environment. */
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { readFile, stat } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { GuestflowError } from '../../contract/errors.ts';
import { defined } from '../../contract/defined.ts';

/** A key of AES-256-GCM. */
export interface CodecKey {
  /** Names the key with which a payload was encrypted. It is a hash of the key, so that two keys never share an id; it tells nothing of the key. */
  readonly id: string;
  /** 32 bytes. */
  readonly secret: Uint8Array;
}

/** Variable that names the file. */
export const CODEC_KEY_VARIABLE = 'GUESTFLOW_CODEC_KEY_FILE';
/** Name of the systemd credential that is taken when no file is named. */
const CREDENTIAL = 'codec-keys';
const FIELD = 'codecKeyFile';
const KEY_BYTES = 32;
const LONGEST_FILE = 65_536;

/** Characters of the id, hexadecimal. */
const ID_LENGTH = 16;

export function codecKey(secret: Uint8Array): CodecKey {
  return { id: createHash('sha256').update('guestflow codec key\0').update(secret).digest('hex').slice(0, ID_LENGTH), secret };
}

/**
 * The keys, the encrypting one first; empty if none are configured.
 *
 * @param named default: the file that `GUESTFLOW_CODEC_KEY_FILE` names, else the systemd credential `codec-keys`, else no keys. A name
 *   without a slash is a systemd credential, where there are any.
 * @throws GuestflowError InvalidInput when the file cannot be read, others may read it, or it holds something else
 */
export async function loadCodecKeys(named?: string, env: NodeJS.ProcessEnv = process.env): Promise<readonly CodecKey[]> {
  const place = placeOf(named, env);
  return place === undefined ? [] : parseCodecKeys(await readKeyFile(place), place.path);
}

interface Place {
  readonly path: string;
  readonly isCredential: boolean;
}

function placeOf(named: string | undefined, env: NodeJS.ProcessEnv): Place | undefined {
  const directory = env['CREDENTIALS_DIRECTORY'] ?? '';
  const inVariable = env[CODEC_KEY_VARIABLE] ?? '';
  const name = named ?? (inVariable === '' ? undefined : inVariable);
  if (name !== undefined) {
    return directory !== '' && !name.includes('/')
      ? { path: join(directory, name), isCredential: true }
      : { path: resolve(name), isCredential: false };
  }
  const path = join(directory, CREDENTIAL);
  return directory !== '' && existsSync(path) ? { path, isCredential: true } : undefined;
}

async function readKeyFile({ path, isCredential }: Place): Promise<string> {
  try {
    const { mode, size } = await stat(path);
    // systemd gives a service's user access to its credentials by an access control list, which shows as rights of the group.
    if ((mode & (isCredential ? 0o007 : 0o077)) !== 0)
      throw bad(`${path} holds codec keys, and others than its owner may read it`, `chmod 600 ${path}`);
    if (size > LONGEST_FILE) throw bad(`${path} is longer than ${LONGEST_FILE} bytes: it is no file of codec keys`);
    return await readFile(path, 'utf8');
  } catch (error) {
    if (error instanceof GuestflowError) throw error;
    const code = error instanceof Error && 'code' in error ? String(error.code) : 'unknown reason';
    throw bad(
      `the codec keys cannot be read from ${path}: ${code === 'ENOENT' ? 'there is no such file' : code}`,
      `make one key: (umask 077; openssl rand -base64 32 > ${path}), or correct ${CODEC_KEY_VARIABLE} or codecKeyFile`,
    );
  }
}

/** One key a line, base64; empty lines and lines that start with # are left out. Errors name lines and never show them. */
export function parseCodecKeys(text: string, from: string): readonly CodecKey[] {
  const keys: CodecKey[] = [];
  for (const [index, line] of text.split(/\r?\n/).entries()) {
    const word = line.trim();
    if (word === '' || word.startsWith('#')) continue;
    const secret = Buffer.from(word, 'base64');
    if (secret.length !== KEY_BYTES || secret.toString('base64') !== word)
      throw bad(`${from}, line ${index + 1} is no codec key: 32 bytes in base64`, 'make one: openssl rand -base64 32');
    const key = codecKey(secret);
    if (keys.some(({ id }) => id === key.id)) throw bad(`${from}, line ${index + 1} has the key of an earlier line`);
    keys.push(key);
  }
  if (keys.length === 0) throw bad(`${from} holds no codec key`, 'add one: openssl rand -base64 32');
  return keys;
}

function bad(message: string, mend?: string): GuestflowError {
  return new GuestflowError('InvalidInput', message, { field: FIELD, ...defined({ mend }) });
}
