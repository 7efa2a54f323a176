/** The copy of a file system's used blocks, by the real dumpe2fs, from image files of all kinds. */
import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { MiB } from '../../contract/sizes.ts';
import { fsInfo, type FsInfo } from '../../activities/dom0/tools/ext4.ts';
import { fsBytes, usedBlocks } from '../../activities/dom0/tools/used-blocks.ts';
import { host, scratch, whyNotHere } from './machine.ts';

const why = whyNotHere('mke2fs', 'e2fsck', 'dumpe2fs', 'debugfs', 'tune2fs', 'perl');
const SECRET = 'what a tenant has deleted';

/** A file system with files, and with the blocks of one that was deleted. */
async function imageOf(directory: string, options: readonly string[], bytes = 48 * MiB): Promise<string> {
  const [image, tree] = [join(directory, 'fs.img'), join(directory, 'tree')];
  mkdirSync(join(tree, 'etc'), { recursive: true });
  for (let file = 0; file < 200; file += 1) writeFileSync(join(tree, 'etc', `file${String(file)}`), `${String(file)} `.repeat(file * 37));
  writeFileSync(join(tree, 'secret'), `${SECRET}\n`.repeat(40_000));
  writeFileSync(image, '');
  truncateSync(image, bytes);
  await host.run('mke2fs', ['-q', '-F', '-t', 'ext4', ...options, '-d', tree, image]);
  execFileSync('debugfs', ['-w', '-R', 'rm /secret', image], { stdio: 'ignore' });
  await host.run('e2fsck', ['-f', '-p', image], { okCodes: [0, 1] });
  return image;
}

async function copyOf(image: string, fs?: FsInfo, rate?: number): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  const source = usedBlocks(image, fs ?? (await fsInfo(host, image)), () => undefined, rate);
  await host.pipeline(source.stages, { sink: (chunk) => void chunks.push(chunk) });
  return Buffer.concat(chunks);
}

const KINDS: readonly (readonly string[])[] = [
  [],
  ['-b', '1024'],
  ['-b', '1024', '-O', '^has_journal'],
  ['-b', '2048', '-O', 'inline_data,encrypt,casefold,verity,quota'],
  ['-O', 'bigalloc', '-C', '65536'],
  ['-O', '^resize_inode,meta_bg'],
  ['-O', 'sparse_super2'],
  ['-O', '^uninit_bg,^metadata_csum,^64bit'],
  ['-E', 'lazy_itable_init=1', '-G', '1', '-g', '4096'],
];

describe.skipIf(why !== undefined)('the copy of used blocks', () => {
  it.each(KINDS.map((options) => [options.join(' ') || 'defaults', options] as const))(
    'of %s is the same file system, without what was deleted',
    async (_, options) => {
      const directory = scratch();
      const image = await imageOf(directory, options);
      const copy = await copyOf(image);
      expect(copy).toHaveLength(fsBytes(await fsInfo(host, image)));
      expect([readFileSync(image).includes(SECRET), copy.includes(SECRET)]).toEqual([true, false]);
      const restored = join(directory, 'restored.img');
      writeFileSync(restored, copy);
      await host.run('e2fsck', ['-f', '-n', restored]);
      expect((await copyOf(restored)).equals(copy)).toBe(true);
      const read = (from: string): string =>
        execFileSync('debugfs', ['-R', 'cat /etc/file199', from], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] });
      expect(read(restored)).toBe('199 '.repeat(199 * 37));
      expect(readFileSync(image).equals(copy)).toBe(false);
    },
  );

  it('is the same at a bounded rate, and takes its time', async () => {
    const image = await imageOf(scratch(), []);
    const fs = await fsInfo(host, image);
    const used = (fs.blocks - fs.freeBlocks) * fs.blockSize;
    const began = performance.now();
    const slow = await copyOf(image, fs, Math.round(used / 0.8));
    expect(performance.now() - began).toBeGreaterThan(500);
    expect(slow.equals(await copyOf(image, fs))).toBe(true);
  });

  it('ends with an error if the disk ends before the file system does', async () => {
    const image = await imageOf(scratch(), []);
    const fs = await fsInfo(host, image);
    truncateSync(image, 9 * MiB);
    await expect(copyOf(image, fs)).rejects.toThrow();
  });

  it('ends with an error if the bitmap has not as many free blocks as the file system says', async () => {
    const image = await imageOf(scratch(), []);
    const fs = await fsInfo(host, image);
    await expect(copyOf(image, { ...fs, freeBlocks: fs.freeBlocks + 1 })).rejects.toThrow(/free blocks/);
    await expect(copyOf(image, { ...fs, blocks: fs.blocks + 8 })).rejects.toThrow(/not whole/);
  });

  it.each(['\nGroup 0: (Blocks 0-99)\n  Free blocks: 0-99', '\nCluster size: 65536\n', '\n  Free blocks: 1-9000\n'])(
    'is whole, or none, if a guest has named its mount point %j',
    async (name) => {
      const image = await imageOf(scratch(), []);
      const before = await copyOf(image);
      await host.run('tune2fs', ['-M', name, image]);
      const after = await copyOf(image).catch(() => undefined);
      if (after === undefined) return;
      // Only the superblock and its five copies have the name, and when it was given.
      const differing = Array.from({ length: before.length / 1024 }, (_, at) => at * 1024).filter(
        (at) => !after.subarray(at, at + 1024).equals(before.subarray(at, at + 1024)),
      );
      expect(after).toHaveLength(before.length);
      expect(differing.length).toBeLessThanOrEqual(6);
    },
  );
});
