/** The files of this machine, where they differ from what Node's own functions do. */
import { link, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { createHostFiles } from '../../../system/host.ts';

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

it('what was removed, and what was made, is brought to the disk with its directory; where nothing was done, nothing is', async () => {
  const root = await mkdtemp(join(tmpdir(), 'guestflow-files-'));
  onTestFinished(() => rm(root, { recursive: true, force: true }));
  let synced: string[] = [];
  const files = createHostFiles(root, (directory) => {
    synced.push(directory.slice(root.length) || '/');
    return Promise.resolve();
  });
  const syncedBy = async (work: Promise<void>): Promise<string[]> => {
    synced = [];
    await work;
    return synced;
  };
  expect(await syncedBy(files.makeDirectory('/state/guests/web1'))).toEqual(['/state/guests', '/state', '/']);
  expect(await syncedBy(files.makeDirectory('/state/guests/web1'))).toEqual([]);
  expect(await syncedBy(files.makeDirectory('/state/guests/web1/keys/'))).toContain('/state/guests/web1');
  await files.writeAtomic('/state/guests/web1/key', 'private');
  await files.symlink('key', '/state/link');
  expect(await syncedBy(files.remove('/state/link'))).toEqual(['/state']);
  expect(await syncedBy(files.remove('/state/guests/web1/key'))).toEqual(['/state/guests/web1']);
  expect(await syncedBy(files.remove('/state/guests/web1/key'))).toEqual([]);
  expect(await syncedBy(files.remove('/nothing/there'))).toEqual([]);
  expect(await syncedBy(files.removeTree('/state/guests'))).toEqual(['/state']);
  expect(await syncedBy(files.removeTree('/state/guests'))).toEqual([]);
});

it('what another name of a wiped file still shows is zeros, over all of it; what a link leads to is left as it is', async () => {
  const root = await mkdtemp(join(tmpdir(), 'guestflow-files-'));
  onTestFinished(() => rm(root, { recursive: true, force: true }));
  const files = createHostFiles(root);
  const bytes = 4 * 2 ** 20 + 4097;
  await writeFile(join(root, 'state'), Buffer.alloc(bytes, 'memory of a tenant'));
  await link(join(root, 'state'), join(root, 'other'));
  await files.wipe('/state');
  expect((await readFile(join(root, 'other'))).equals(Buffer.alloc(bytes))).toBe(true);
  await writeFile(join(root, 'kept'), 'kept');
  await symlink('kept', join(root, 'link'));
  await files.wipe('/link');
  expect(await files.list('/')).toEqual(expect.not.arrayContaining(['link', 'state']));
  expect(await readFile(join(root, 'kept'), 'utf8')).toBe('kept');
});
