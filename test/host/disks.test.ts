/** ext4, dump, restore, qemu-img and blkdiscard, the real ones, on image files. */
import {
  closeSync,
  copyFileSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { copyImage } from '../../activities/dom0/tools/copy.ts';
import { dumpToFile, listDumpOn } from '../dump-to-file.ts';
import { unsafeForDump } from '../../activities/dom0/backup/engines/dump-trust.ts';
import { checkFs, fsInfo, growFs, makeSwap, newUuid, replayJournal, shrinkFs } from '../../activities/dom0/tools/ext4.ts';
import { detachLoop, freeLoopDevices, listLoopDevices, loopDevicesOf } from '../../activities/dom0/tools/loop.ts';
import { zeroVolume } from '../../activities/dom0/storage/lvm/wipe.ts';
import { host, imageFile, loopOn, mounted, scratch, titled, whyNotHere } from './machine.ts';

const MiB = 2 ** 20;
const FILES = 200;
const why = whyNotHere(
  'mkfs.ext4',
  'e2fsck',
  'resize2fs',
  'dumpe2fs',
  'tune2fs',
  'dump',
  'restore',
  'zstd',
  'qemu-img',
  'blkdiscard',
  'losetup',
  'mkswap',
  'setpriv',
);

async function newFileSystem(file: string, bytes: number, options: string[] = []): Promise<string> {
  await host.run('mkfs.ext4', ['-q', '-F', ...options, imageFile(file, bytes)]);
  return file;
}

/** What a guest does that trusts fsync. */
function writeDurably(path: string, text: string): void {
  const file = openSync(path, 'w');
  writeSync(file, text);
  fsyncSync(file);
  closeSync(file);
}

/** An image as a snapshot of a running guest shows it: its last writes are only in the journal. */
async function snapshotOfRunningGuest(directory: string): Promise<string> {
  const running = await loopOn(await newFileSystem(join(directory, 'running.img'), 64 * MiB));
  const mount = await mounted(running, join(directory, 'guest'));
  for (let index = 0; index < FILES; index++) writeDurably(join(directory, 'guest', `file-${String(index)}`), `content ${String(index)}\n`);
  await host.run('sync', ['--', join(directory, 'running.img')]);
  copyFileSync(join(directory, 'running.img'), join(directory, 'snapshot.img'));
  await mount.unmount();
  return loopOn(join(directory, 'snapshot.img'));
}

describe.skipIf(why !== undefined)(titled('a backup', why), () => {
  it('of a snapshot has every file that the guest had fsynced, and restores them', async () => {
    const directory = scratch();
    const device = await snapshotOfRunningGuest(directory);
    expect((await fsInfo(host, device)).features).toContain('needs_recovery');
    await replayJournal(host, device);
    const info = await fsInfo(host, device);
    expect(info.features).not.toContain('needs_recovery');
    expect(unsafeForDump(info.features)).toBeUndefined();

    const path = join(directory, 'guest.dump.zst');
    const written = await dumpToFile(host, { device, path });
    expect(await host.files.info(path)).toBeUndefined();
    await written.commit();
    const file = readFileSync(path);
    expect(file.byteLength).toBe(written.bytes);
    expect(createHash('sha256').update(file).digest('hex')).toBe(written.sha256);
    expect(await listDumpOn(host, path, /^\.\/file-/)).toHaveLength(FILES);

    mkdirSync(join(directory, 'restored'));
    const plain: Uint8Array[] = [];
    await host.pipeline([{ tool: 'zstd', args: ['-dcq', path] }], {
      sink: (chunk) => {
        plain.push(chunk);
      },
    });
    await host.run('restore', ['-r', '-f', '-'], { input: Buffer.concat(plain), cwd: join(directory, 'restored') });
    for (let index = 0; index < FILES; index++)
      expect(readFileSync(join(directory, 'restored', `file-${String(index)}`), 'utf8')).toBe(`content ${String(index)}\n`);
  });

  it('of a file system that dump would spoil is refused', async () => {
    const directory = scratch();
    const file = await newFileSystem(join(directory, 'inline.img'), 32 * MiB, ['-O', 'inline_data']);
    expect(unsafeForDump((await fsInfo(host, file)).features)).toMatch(/inline_data/);
  });

  it('that was cut off cannot be listed', async () => {
    const directory = scratch();
    const path = join(directory, 'guest.dump.zst');
    const written = await dumpToFile(host, { device: await snapshotOfRunningGuest(directory), path });
    await written.commit();
    const whole = readFileSync(path);
    writeFileSync(path, whole.subarray(0, whole.byteLength / 2));
    await expect(listDumpOn(host, path)).rejects.toThrow(/zstd|restore/);
  });

  it('that is cancelled leaves no file', async () => {
    const directory = scratch();
    const device = await snapshotOfRunningGuest(directory);
    mkdirSync(join(directory, 'backups'));
    await expect(
      dumpToFile(host, { device, path: join(directory, 'backups', 'a.dump.zst'), signal: AbortSignal.abort() }),
    ).rejects.toMatchObject({ cancelled: true });
    expect(readdirSync(join(directory, 'backups'))).toEqual([]);
  });
});

describe.skipIf(why !== undefined)(titled('a copy', why), () => {
  it('onto a larger device grows to its size and shows nothing of who had it before', async () => {
    const directory = scratch();
    const image = await newFileSystem(join(directory, 'disk.img'), 64 * MiB);
    const source = await loopOn(image);
    const content = Buffer.alloc(3 * MiB, 'tenant');
    const first = await mounted(source, join(directory, 'image'));
    writeFileSync(join(directory, 'image', 'data'), content);
    await first.unmount();
    await detachLoop(host, source);

    const former = 0xaa;
    const target = join(directory, 'volume.img');
    writeFileSync(target, Buffer.alloc(128 * MiB, former), { mode: 0o600 });
    const device = await loopOn(target);
    const wiped: number[] = [];
    await zeroVolume(host, device, { bytes: 128 * MiB, onProgress: (bytes) => wiped.push(bytes) });
    expect(wiped.at(-1)).toBe(128 * MiB);
    const copied: number[] = [];
    await copyImage(host, { source: image, device, bytes: 64 * MiB, targetIsZero: true, onProgress: (bytes) => copied.push(bytes) });
    expect(copied.at(-1)).toBe(64 * MiB);
    expect(readFileSync(target).includes(Buffer.alloc(512, former))).toBe(false);

    await checkFs(host, device);
    const before = await fsInfo(host, device);
    await growFs(host, device);
    const after = await fsInfo(host, device);
    expect(after.blocks * after.blockSize).toBe(128 * MiB);
    await newUuid(host, device);
    expect((await fsInfo(host, device)).uuid).not.toBe(before.uuid);
    await checkFs(host, device);
    const grown = await mounted(device, join(directory, 'volume'));
    expect(readFileSync(join(directory, 'volume', 'data')).equals(content)).toBe(true);
    await grown.unmount();
  });

  it('writes the holes of the image, too, when the device is not known to be zero', async () => {
    const directory = scratch();
    const image = imageFile(join(directory, 'disk.img'), 8 * MiB);
    const target = join(directory, 'volume.img');
    writeFileSync(target, Buffer.alloc(8 * MiB, 0xaa), { mode: 0o600 });
    await copyImage(host, { source: image, device: await loopOn(target), bytes: 8 * MiB, targetIsZero: false });
    expect(readFileSync(target).equals(Buffer.alloc(8 * MiB))).toBe(true);
  });
});

describe.skipIf(why !== undefined)(titled('a file system', why), () => {
  it('is resized to the end when it is cancelled meanwhile, and is whole', async () => {
    const file = await newFileSystem(join(scratch(), 'disk.img'), 64 * MiB);
    truncateSync(file, 512 * MiB);
    for (const [resize, bytes] of [
      [(signal: AbortSignal) => growFs(host, file, { signal }), 512 * MiB],
      [(signal: AbortSignal) => shrinkFs(host, file, 96 * MiB, { signal }), 96 * MiB],
    ] as const) {
      await checkFs(host, file);
      const controller = new AbortController();
      const resizing = resize(controller.signal);
      controller.abort();
      await expect(resizing).rejects.toThrow(/abort/i);
      const { blocks, blockSize, state } = await fsInfo(host, file);
      expect([blocks * blockSize, state]).toEqual([bytes, 'clean']);
    }
    await checkFs(host, file);
    await expect(growFs(host, file, { signal: AbortSignal.abort() })).rejects.toThrow(/abort/i);
    const { blocks, blockSize } = await fsInfo(host, file);
    expect(blocks * blockSize).toBe(96 * MiB);
  });

  it('that says it is larger than its device is refused: nobody keeps the new part of a disk from being wiped by that', async () => {
    const file = await newFileSystem(join(scratch(), 'disk.img'), 64 * MiB);
    truncateSync(file, 48 * MiB);
    await expect(checkFs(host, file)).rejects.toMatchObject({ code: 4 });
  });
});

describe.skipIf(why !== undefined)(titled('a device', why), () => {
  it('that is mounted is not wiped', async () => {
    const directory = scratch();
    const device = await loopOn(await newFileSystem(join(directory, 'disk.img'), 32 * MiB));
    const mount = await mounted(device, join(directory, 'mount'));
    await expect(zeroVolume(host, device, { bytes: 32 * MiB })).rejects.toThrow(/busy/i);
    await mount.unmount();
    await checkFs(host, device);
  });

  it('that somebody has open without keeping others away is wiped all the same: only a look before tells', async () => {
    const file = join(scratch(), 'disk.img');
    writeFileSync(file, Buffer.alloc(8 * MiB, 0xaa));
    const device = await loopOn(file);
    const held = openSync(device, 'r+');
    const reached: number[] = [];
    const checkpoint = { everyBytes: 4 * MiB, reached: (bytes: number) => Promise.resolve(void reached.push(bytes)) };
    await zeroVolume(host, device, { bytes: 8 * MiB, checkpoint });
    closeSync(held);
    expect(reached).toEqual([4 * MiB]);
    expect(readFileSync(file).equals(Buffer.alloc(8 * MiB))).toBe(true);
  });

  it('is a swap after makeSwap', async () => {
    const file = imageFile(join(scratch(), 'swap.img'), 8 * MiB);
    await makeSwap(host, file);
    expect(readFileSync(file).subarray(4086, 4096).toString()).toBe('SWAPSPACE2');
  });

  it('of a loop is found by its file, and detached twice without complaint', async () => {
    const file = imageFile(join(scratch(), 'disk.img'), MiB);
    const device = await loopOn(file);
    expect(await loopDevicesOf(host, file)).toEqual([device]);
    expect((await listLoopDevices(host)).find((loop) => loop.device === device)).toMatchObject({ file });
    expect((await freeLoopDevices(host)).used).toBeGreaterThan(0);
    await detachLoop(host, device);
    await detachLoop(host, device);
    expect(await loopDevicesOf(host, file)).toEqual([]);
  });
});
