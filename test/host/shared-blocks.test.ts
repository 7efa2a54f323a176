/** Disks that are files on a real XFS, which shares blocks between files: a snapshot stops nobody, and does not change under what is written meanwhile. */
import { randomBytes } from 'node:crypto';
import { closeSync, fsyncSync, mkdirSync, openSync, readFileSync, statSync, writeSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { prepareDirectory } from '../../activities/dom0/storage/file/directory.ts';
import { DiskFiles } from '../../activities/dom0/storage/file/files.ts';
import type { DiskUser } from '../../activities/dom0/storage/file/place.ts';
import type { Storage } from '../../activities/dom0/storage/port.ts';
import { GiB, MiB } from '../../contract/sizes.ts';
import { portsOf } from '../contract/port-env.ts';
import { host, imageFile, loopOn, mounted, scratch, titled, whyNotHere } from './machine.ts';

const why = whyNotHere('mkfs.xfs', 'losetup', 'mount', 'fallocate', 'cp');
const ref = { name: 'guest1', order: 'order-1' };

/** One who runs, and may not be stopped. */
const RUNNING: DiskUser = {
  find: () => Promise.resolve({ who: '7', isStill: false }),
  stop: () => Promise.reject(new Error('the guest was stopped')),
  goOn: () => Promise.resolve(),
};

async function onXfs(): Promise<{ readonly storage: Storage; readonly directory: string; readonly unmount: () => Promise<void> }> {
  const base = scratch();
  const device = await loopOn(imageFile(join(base, 'xfs.img'), GiB));
  await host.run('mkfs.xfs', ['-q', '-m', 'reflink=1', device]);
  mkdirSync(join(base, 'xfs'));
  const { unmount } = await mounted(device, join(base, 'xfs'));
  const directory = join(base, 'xfs', 'disks');
  await prepareDirectory({ host, directory }, join(base, 'state'));
  return { storage: new DiskFiles(portsOf({ host, vg: 'none', imageDir: base }), directory, RUNNING), directory, unmount };
}

describe.skipIf(why !== undefined)(titled('disks that are files, where the file system shares blocks', why), () => {
  it('have snapshots that stop nobody, take no room of their own, and hold what was there, whatever is written after', async () => {
    const { storage } = await onXfs();
    const content = randomBytes(64 * MiB);
    await storage.ensure(ref, { role: 'root', bytes: 128 * MiB, field: 'disk', fill: (at) => writeFile(at, content, { flag: 'r+' }) });
    const free = (await storage.facts())?.freeBytes ?? 0;
    const snapshot = await storage.snapshot(ref);
    expect(snapshot.stoodStillMs).toBeUndefined();
    expect(free - ((await storage.facts())?.freeBytes ?? 0)).toBeLessThan(4 * MiB);
    expect(statSync(snapshot.device).mode & 0o777).toBe(0o600);
    const disk = openSync(storage.device(ref.name, 'root'), 'r+');
    for (let at = 0; at < 64 * MiB; at += MiB) writeSync(disk, Buffer.alloc(4096, 0x41), 0, 4096, at);
    fsyncSync(disk);
    closeSync(disk);
    expect(
      readFileSync(snapshot.device)
        .subarray(0, 64 * MiB)
        .equals(content),
    ).toBe(true);
    await storage.mustBeSound(snapshot);
    await storage.dropSnapshot(ref);
    await storage.release(ref);
    expect(await storage.list()).toEqual([]);
  });

  it('are no empty pool when that file system is not mounted', async () => {
    const { storage, directory, unmount } = await onXfs();
    await storage.ensure(ref, { role: 'root', bytes: 8 * MiB, field: 'disk', fill: () => Promise.resolve() });
    await unmount();
    expect(await storage.facts()).toBeUndefined();
    mkdirSync(directory);
    expect(await storage.facts()).toBeUndefined();
    await expect(storage.list()).rejects.toMatchObject({ type: 'HostNotReady' });
  });
});
