/** `guestflow-dom0 serve-backups`: what sshd of a dom0 runs for the key of a backup host. Its standard output is the answer, and nothing else. */
import { serveBackups } from '../../activities/dom0/backup/remote/serve.ts';
import { directoryOf } from './options.ts';
import type { Io } from '../io.ts';

export async function serve({ stdin, stdout }: Io, repository: string): Promise<undefined> {
  await serveBackups(directoryOf(repository), stdin, stdout);
  return undefined;
}
