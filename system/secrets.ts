/** Secrets from files or from systemd's credentials; never from arguments or the environment, which others can read. */
import { readFile, stat } from 'node:fs/promises';
import { isAbsolute, join, resolve } from 'node:path';
import { Webhook } from 'standardwebhooks';
import { GuestflowError } from '../contract/errors.ts';

const LONGEST_FILE = 65_536;

/**
 * The path of a file: as it was given; a bare name is one of systemd's credentials (`LoadCredential=`), where there are any.
 */
export function credentialPath(name: string, env: NodeJS.ProcessEnv): string {
  const directory = env['CREDENTIALS_DIRECTORY'];
  if (directory !== undefined && !name.includes('/')) return join(directory, name);
  return isAbsolute(name) ? name : resolve(name);
}

/** The bytes of a file of secrets. Throws GuestflowError InvalidInput when others can read it. */
export async function readSecretFile(path: string, field: string): Promise<Buffer> {
  try {
    const { mode, size } = await stat(path);
    if ((mode & 0o007) !== 0)
      throw new GuestflowError('InvalidInput', `${path} holds secrets, and everybody on this machine can read it`, {
        field,
        mend: `chmod 600 ${path}`,
      });
    if (size > LONGEST_FILE)
      throw new GuestflowError('InvalidInput', `${path} is longer than ${LONGEST_FILE} bytes: it is no file of secrets`, { field });
    return await readFile(path);
  } catch (error) {
    if (error instanceof GuestflowError) throw error;
    throw new GuestflowError(
      'InvalidInput',
      `${path} cannot be read: ${error instanceof Error && 'code' in error ? String(error.code) : 'unknown reason'}`,
      { field },
    );
  }
}

/** The secrets in a file: one a line; empty lines and lines that start with # are left out. */
export async function readSecrets(path: string, field: string): Promise<readonly string[]> {
  const lines = (await readSecretFile(path, field))
    .toString('utf8')
    .split(/\r?\n/)
    .map((line) => line.trim())
    .filter((line) => line !== '' && !line.startsWith('#'));
  if (lines.length === 0) throw new GuestflowError('InvalidInput', `${path} holds no secret`, { field });
  const short = lines.findIndex((line) => line.length < 16 || /\s/.test(line));
  if (short !== -1)
    throw new GuestflowError('InvalidInput', `${path}: secret ${short + 1} is shorter than 16 characters, or has blanks in it`, { field });
  return lines;
}

/** As `readSecrets`, for Standard Webhooks: `whsec_` and base64. */
export async function readWebhookSecrets(path: string, field: string): Promise<readonly string[]> {
  const secrets = await readSecrets(path, field);
  for (const [index, secret] of secrets.entries()) {
    try {
      new Webhook(secret);
    } catch {
      throw new GuestflowError('InvalidInput', `${path}: secret ${index + 1} is none of Standard Webhooks: whsec_ and base64`, {
        field,
        mend: 'make one: echo "whsec_$(openssl rand -base64 32)"',
      });
    }
  }
  return secrets;
}
