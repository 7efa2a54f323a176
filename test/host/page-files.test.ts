/** The files of a backup on the customer's page, read from a real file system in the real cage. */
import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it, describe, onTestFinished } from 'vitest';
import { ZstdFile } from '../../activities/dom0/backup/containers/zstd-file.ts';
import { readBackupOf } from '../../activities/dom0/backup/repositories/reading.ts';
import { bundleReader } from '../../deploy/bundle-worker.ts';
import { en } from '../../gateway/page/texts/en.ts';
import { encoded, ID, openRig, PATH, type Rig } from '../unit/gateway/files/rig.ts';
import { repositoryOf, usedBlocks } from './a-repository.ts';
import { host, imageFile, scratch, titled, whyNotHere } from './machine.ts';
import { describeTree } from './same-tree.ts';

const why = whyNotHere('mke2fs', 'e2fsck', 'e2image', 'zstd', 'unshare', 'prlimit', 'setpriv', 'tar');
const MiB = 2 ** 20;

/** A tree of a tenant's, on a file system of its own. */
function plant(directory: string): string {
  const tree = join(directory, 'tree');
  mkdirSync(join(tree, 'etc', 'a directory'), { recursive: true });
  writeFileSync(join(tree, 'etc', 'hosts'), '127.0.0.1 localhost\n');
  writeFileSync(join(tree, 'etc', 'a directory', 'a\nname'), 'with a newline');
  writeFileSync(join(tree, 'etc', 'empty'), '');
  symlinkSync('/etc/shadow', join(tree, 'etc', 'link'));
  writeFileSync(join(tree, 'large'), Buffer.alloc(5 * MiB + 3, 'a line of a log that goes on\n'));
  execFileSync('truncate', ['--size', '20M', join(tree, 'sparse')]);
  execFileSync('dd', ['if=/dev/urandom', `of=${join(tree, 'sparse')}`, 'bs=4096', 'count=2', 'seek=700', 'conv=notrunc', 'status=none']);
  return tree;
}

async function open(directory: string, tree: string): Promise<Rig> {
  const image = imageFile(join(directory, 'disk.img'), 64 * MiB);
  await host.run('mke2fs', ['-q', '-F', '-t', 'ext4', '-d', tree, image]);
  const repository = await repositoryOf(directory, await usedBlocks(directory, image), 'own', ID);
  const backup = await readBackupOf(repository, 'own', ID);
  const rig = await openRig(
    {},
    {
      backup,
      program: bundleReader,
      repository: ({ signal, progress }) => ({
        container: () => new ZstdFile({ host, signal, progress }, backup.path),
        has: () => Promise.resolve(true),
      }),
    },
  );
  onTestFinished(() => rig.close());
  await rig.open();
  return rig;
}

describe.skipIf(why !== undefined)(titled('the files of a backup', why), { timeout: 60_000 }, () => {
  it('come out as they went in, one by one and as a tar, and nothing is left when it is closed', async () => {
    const directory = scratch();
    const tree = plant(directory);
    const rig = await open(directory, tree);
    const download = async (path: string, as: 'file' | 'tar'): Promise<Response> =>
      rig.visitor.get(`${PATH}/download?backup=${ID}&at=${encoded(path)}&as=${as}`);
    expect(await rig.html()).toContain('lost+found/');
    for (const path of ['etc/hosts', 'etc/empty', 'etc/a directory/a\nname', 'large', 'sparse']) {
      const bytes = Buffer.from(await (await download(path, 'file')).arrayBuffer());
      expect(bytes.equals(readFileSync(join(tree, path)))).toBe(true);
    }
    // A link is shown, and leads nowhere.
    expect(await rig.html(`${PATH}?backup=${ID}&at=${encoded('etc')}`)).toContain(`link <span class="hint">${en.files.link}`);
    expect((await download('etc/link', 'file')).status).toBe(404);
    const unpacked = join(directory, 'unpacked');
    mkdirSync(unpacked);
    execFileSync('tar', ['--numeric-owner', '-xpf', '-', '-C', unpacked], {
      input: Buffer.from(await (await download('etc', 'tar')).arrayBuffer()),
    });
    const how = { nanoseconds: false, inodes: false, blocks: false };
    expect(describeTree(join(unpacked, 'etc'), how)).toEqual(describeTree(join(tree, 'etc'), how));
    await rig.opened.close();
    expect(rig.left()).toEqual([]);
    expect(readFileSync('/proc/mounts', 'utf8')).not.toContain('guestflow-opened');
  });

  it('whose download is broken off have no process left', async () => {
    const directory = scratch();
    const rig = await open(directory, plant(directory));
    const { body } = await rig.visitor.get(`${PATH}/download?backup=${ID}&at=${encoded('sparse')}&as=file`);
    await body?.cancel();
    const processes = (): string => execFileSync('ps', ['-eo', 'args'], { encoding: 'utf8' });
    await expect.poll(processes, { timeout: 10_000 }).not.toMatch(/\/program read-image/);
    expect(await rig.html()).toContain('lost+found/');
  });
});
