/** The reader of file systems, outside of its cage: on layouts of every kind, and on images of which bytes were changed at random. */
import { createHash } from 'node:crypto';
import { closeSync, ftruncateSync, mkdirSync, openSync, readFileSync, writeFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { FileSystem } from '../../activities/dom0/backup/files/ext4/file-system.ts';
import { ImageProblem, Unreadable } from '../../activities/dom0/backup/files/ext4/image.ts';
import { contentBytes, type FileEntry } from '../../activities/dom0/backup/files/frames.ts';
import { Walk } from '../../activities/dom0/backup/files/walk.ts';
import { randomOf } from './backup-corpus.ts';
import { host, imageFile, scratch, titled, whyNotHere } from './machine.ts';

const why = whyNotHere('mke2fs', 'debugfs');
const MiB = 2 ** 20;

/** Where a file of each kind of map has content, in MiB from its start. */
const PLACES = [0, 0.0625, 0.3125, 3, 70, 400, 5_000, 15_000];

/** A tree with files of many pieces, and the hash of the content of each. */
function treeIn(directory: string): Map<string, string> {
  const tree = join(directory, 'tree');
  mkdirSync(join(tree, 'large'), { recursive: true });
  const hashes = new Map<string, string>();
  for (const count of [1, 4, PLACES.length]) {
    const path = `pieces-${count}`;
    const file = openSync(join(tree, path), 'w');
    const hash = createHash('sha256');
    for (const place of PLACES.slice(0, count)) {
      const piece = Buffer.alloc(8_192, `piece at ${place} of ${count};`);
      writeSync(file, piece, 0, piece.length, Math.floor((place * MiB) / 65_536) * 65_536);
      hash.update(piece);
    }
    ftruncateSync(file, 15_500 * MiB);
    closeSync(file);
    hashes.set(path, hash.digest('hex'));
  }
  for (let index = 0; index < 900; index += 1) writeFileSync(join(tree, 'large', `a-name-of-some-length-${index}`), '');
  return hashes;
}

async function imageOf(directory: string, bytes: number, options: readonly string[]): Promise<string> {
  const image = imageFile(join(directory, 'image'), bytes);
  await host.run('mke2fs', ['-q', '-F', ...options, '-d', join(directory, 'tree'), image], { timeoutMs: 120_000 });
  return image;
}

interface Read {
  readonly entries: readonly FileEntry[];
  readonly problems: readonly string[];
  /** Of the content of files that have any, without what are holes or zeros. */
  readonly hashes: ReadonlyMap<string, string>;
}

function readAll(image: string): Read {
  const [entries, problems, hashes] = [[] as FileEntry[], [] as string[], new Map<string, string>()];
  for (const { frame, content = [] } of new Walk(new FileSystem(image)).say({ what: 'read', paths: [''] })) {
    if (frame.is === 'problem') problems.push(`${frame.path} ${frame.reason}`);
    if (frame.is !== 'entry') continue;
    entries.push(frame);
    const hash = createHash('sha256');
    let bytes = 0;
    for (const piece of content) {
      bytes += piece.length;
      // A file system may have a block of zeros around what was written.
      for (let at = 0; at < piece.length; at += 1024)
        if (piece.subarray(at, at + 1024).some((byte) => byte !== 0)) hash.update(piece.subarray(at, at + 1024));
    }
    expect(bytes).toBe(contentBytes(frame.segments));
    if (bytes > 0) hashes.set(frame.path, hash.digest('hex'));
  }
  return { entries, problems, hashes };
}

describe.skipIf(why !== undefined)(titled('the reader of file systems', why), () => {
  it.each<[string, number, readonly string[]]>([
    ['ext2, whose blocks are found by pointers three deep', 64 * MiB, ['-t', 'ext2', '-b', '1024']],
    ['ext3 with blocks of 4 KiB', 256 * MiB, ['-t', 'ext3', '-b', '4096']],
    ['ext4 with blocks of 1 KiB in many groups', 64 * MiB, ['-t', 'ext4', '-b', '1024']],
    ['ext4 with groups of groups (meta_bg)', 1024 * MiB, ['-t', 'ext4', '-b', '1024', '-O', 'meta_bg,^resize_inode,^flex_bg']],
    ['ext4 with few superblocks (sparse_super2)', 512 * MiB, ['-t', 'ext4', '-b', '1024', '-O', 'sparse_super2,meta_bg,^resize_inode']],
    ['ext4 without 64bit, with small inodes', 128 * MiB, ['-t', 'ext4', '-O', '^64bit,^metadata_csum', '-I', '128']],
    ['ext4 with content in inodes', 128 * MiB, ['-t', 'ext4', '-O', 'inline_data', '-I', '512']],
    ['ext4 with clusters, and blocks of 1 KiB', 128 * MiB, ['-t', 'ext4', '-O', 'bigalloc', '-b', '1024', '-C', '16384']],
  ])('finds all of %s', async (_, bytes, options) => {
    const directory = scratch();
    const expected = treeIn(directory);
    const image = await imageOf(directory, bytes, options);
    const { entries, problems, hashes } = readAll(image);
    expect(problems).toEqual([]);
    expect(entries.filter(({ path }) => path.startsWith('large/'))).toHaveLength(900);
    expect(hashes).toEqual(expected);
    const large = entries.filter(({ path }) => path.startsWith('pieces'));
    // With content in inodes, mke2fs 1.47.0 writes sizes that are too small.
    const told = await Promise.all(large.map(({ path }) => host.run('debugfs', ['-R', `stat /${path}`, image])));
    expect(large.map(({ size }) => size)).toEqual(told.map(({ stdout }) => Number(/ Size: (\d+)$/m.exec(stdout)?.[1])));
  });

  it('ends, and says what is wrong, for any image of which bytes were changed', { timeout: 180_000 }, async () => {
    const directory = scratch();
    mkdirSync(join(directory, 'tree', 'd', 'e'), { recursive: true });
    for (const name of ['a', 'd/b', 'd/e/c']) writeFileSync(join(directory, 'tree', name), name.repeat(300));
    const images = [];
    for (const options of [
      ['-t', 'ext4', '-O', '^has_journal'],
      ['-t', 'ext2'],
      ['-t', 'ext4', '-O', 'inline_data,^has_journal', '-I', '256'],
    ])
      images.push(readFileSync(await imageOf(directory, MiB, ['-b', '1024', '-N', '32', ...options])));
    const random = randomOf(14);
    const path = join(directory, 'changed');
    let problems = 0;
    for (let turn = 0; turn < 600; turn += 1) {
      const changed = Buffer.from(images[turn % images.length]!);
      // Where anything is: superblock, groups, inodes, directories.
      const used = [...Array(changed.length / 64).keys()].filter((line) =>
        changed.subarray(line * 64, line * 64 + 64).some((byte) => byte !== 0),
      );
      for (let count = 1 + Math.floor(random() * 4); count > 0; count -= 1)
        changed[used[Math.floor(random() * Math.min(used.length, 200))]! * 64 + Math.floor(random() * 64)] = Math.floor(random() * 256);
      writeFileSync(path, changed);
      try {
        problems += readAll(path).problems.length;
      } catch (error) {
        expect(
          [ImageProblem, Unreadable].some((kind) => error instanceof kind),
          String(error instanceof Error ? error.stack : error),
        ).toBe(true);
        problems += 1;
      }
    }
    expect(problems).toBeGreaterThan(40);
  });
});
