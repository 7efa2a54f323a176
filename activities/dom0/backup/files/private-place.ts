/** A directory for what nobody else may see, which goes on every way out. */
import { rmSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { GuestflowError } from '../../../../contract/errors.ts';

/** @param parent an existing directory. The place in it has mode 0700. */
export async function withPrivatePlace<T>(parent: string, work: (place: string) => Promise<T>): Promise<T> {
  const place = await mkdtemp(join(parent, '.guestflow-files-')).catch((error: unknown) => {
    const reason = error instanceof Error ? error.message : String(error);
    throw new GuestflowError('InvalidInput', `the backup cannot be unpacked in ${parent}: ${reason}`, {
      field: 'tmp',
      value: parent,
      mend: 'name a directory on a disk with room: --tmp DIR',
    });
  });
  // A reader of our output that goes away ends the process at once.
  const atExit = (): void => rmSync(place, { recursive: true, force: true });
  process.once('exit', atExit);
  try {
    return await work(place);
  } finally {
    await rm(place, { recursive: true, force: true });
    process.off('exit', atExit);
  }
}
