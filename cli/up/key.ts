/** The SSH key with which a newcomer logs in to guest1: made once, kept in the state directory. */
import { existsSync } from 'node:fs';
import { mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createRunner } from '../../system/run.ts';

export interface LoginKey {
  readonly file: string;
  readonly publicKey: string;
}

/** Makes the key pair, or finds it. */
export async function loginKey(stateDir: string): Promise<LoginKey> {
  const directory = join(stateDir, 'ssh');
  const file = join(directory, 'id_ed25519');
  await mkdir(directory, { recursive: true, mode: 0o700 });
  if (!existsSync(file) || !existsSync(`${file}.pub`))
    await createRunner().run('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-C', 'guestflow up', '-f', file]);
  return { file, publicKey: (await readFile(`${file}.pub`, 'utf8')).trim() };
}
