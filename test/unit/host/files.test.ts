/** The files of this machine, where they differ from what Node's own functions do. */
import { mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { createHostFiles } from '../../../activities/host/host.ts';

it('what is no link leads nowhere', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'guestflow-files-'));
  try {
    await writeFile(join(directory, 'file'), 'by hand');
    await symlink('/etc/xen/web1.cfg', join(directory, 'link'));
    const files = createHostFiles(directory);
    expect(await files.readLink('/file')).toBeUndefined();
    expect(await files.readLink('/nothing')).toBeUndefined();
    expect(await files.readLink('/link')).toBe('/etc/xen/web1.cfg');
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
});
