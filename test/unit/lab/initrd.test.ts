import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { createRunner } from '../../../system/run.ts';
import { encodeCpio, loadOrder, readModule } from '../../../lab/initrd.ts';
import { findPayload } from '../../../lab/kernel.ts';

describe('the order in which modules are loaded', () => {
  const dep =
    'kernel/fs/ext4/ext4.ko: kernel/fs/jbd2/jbd2.ko kernel/lib/crc16.ko\nkernel/fs/jbd2/jbd2.ko:\nkernel/lib/crc16.ko:\nkernel/drivers/block/xen-blkfront.ko:\n';

  test('a module comes after those it needs, and each once', () => {
    expect(loadOrder(dep, ['ext4', 'jbd2', 'xen_blkfront'])).toEqual([
      'kernel/fs/jbd2/jbd2.ko',
      'kernel/lib/crc16.ko',
      'kernel/fs/ext4/ext4.ko',
      'kernel/drivers/block/xen-blkfront.ko',
    ]);
  });

  test('modules are found by their names whether they are compressed or not', () => {
    const packed = dep.replaceAll('.ko', '.ko.xz');
    expect(loadOrder(packed, ['ext4'])).toEqual(['kernel/fs/jbd2/jbd2.ko.xz', 'kernel/lib/crc16.ko.xz', 'kernel/fs/ext4/ext4.ko.xz']);
  });

  test('a module that is built into the kernel is left out', () => {
    expect(loadOrder(dep, ['virtio_blk'])).toEqual([]);
  });
});

test.each(['xz', 'zstd', 'gzip'])('a module compressed with %s is read as insmod takes it', async (tool) => {
  const folder = await mkdtemp(path.join(os.tmpdir(), 'module-test-'));
  try {
    const runner = createRunner();
    const content = Buffer.from('\x7fELF module');
    await writeFile(path.join(folder, 'a.ko'), content);
    await runner.run(tool, ['-k', '-q', '--', path.join(folder, 'a.ko')]);
    const packed = path.join(folder, `a.ko.${tool === 'zstd' ? 'zst' : tool === 'gzip' ? 'gz' : tool}`);
    expect(Buffer.from(await readModule(runner, packed))).toEqual(content);
    expect(Buffer.from(await readModule(runner, path.join(folder, 'a.ko')))).toEqual(content);
  } finally {
    await rm(folder, { recursive: true });
  }
});

describe('the archive', () => {
  test('headers, names and data begin at multiples of four, and the trailer ends it', () => {
    const archive = encodeCpio([
      { name: 'a', mode: 0o100644, data: Buffer.from('hello') },
      { name: 'dir', mode: 0o040755 },
    ]);
    expect(archive.length % 4).toBe(0);
    const text = archive.toString('latin1');
    expect(text.match(/070701/g)).toHaveLength(3);
    expect(text.indexOf('hello') % 4).toBe(0);
    expect(text).toContain('TRAILER!!!\0');
    // c_filesize is the seventh field of eight digits.
    expect(parseInt(text.slice(6 + 6 * 8, 6 + 7 * 8), 16)).toBe(5);
  });
});

describe('the kernel in a bzImage', () => {
  function image(magic: number[]): Buffer {
    const file = Buffer.alloc(4096);
    file[0x1f1] = 3;
    file.writeUInt32LE(0x10, 0x248);
    file.writeUInt32LE(24, 0x24c);
    Buffer.from(magic).copy(file, 4 * 512 + 0x10);
    return file;
  }

  test('is found behind the set-up sectors, without the length at its end', () => {
    const { payload, tool } = findPayload(image([0xfd, 0x37, 0x7a, 0x58, 0x5a, 0]));
    expect(tool).toBe('xz');
    expect(payload).toHaveLength(20);
  });

  test('of an unknown compression is refused with what it begins with', () => {
    expect(() => findPayload(image([1, 2, 3, 4, 5, 6]))).toThrow(/010203040506/);
  });
});
