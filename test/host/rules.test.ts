/** The table of rules against the real tools: what it takes, they take; what it refuses, they refuse. */
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { mustAnswer } from '../../activities/dom0/images/mirror-probe.ts';
import { archiveOf } from '../../activities/dom0/images/apt-sources.ts';
import { SIZE_BOUNDS } from '../../contract/field-checks.ts';
import { allFsOptions, whyNotFsOptions } from '../../contract/mount-options.ts';
import { host, imageFile, loopOn, scratch, titled, whyNotHere } from './machine.ts';

const why = whyNotHere('mkfs.ext4', 'mkfs.ext3', 'mount', 'umount');

/** As a guest does it at its boot: the kernel has mounted its root read-only, and the options of its fstab are applied to that. */
async function isTaken(device: string, at: string, option: string): Promise<boolean> {
  await host.run('mount', ['-o', 'ro', device, at]);
  try {
    return (await host.run('mount', ['-o', `remount,rw,${option}`, at], { okCodes: [0, 32] })).code === 0;
  } finally {
    await host.run('umount', [at]);
  }
}

describe.skipIf(why !== undefined)(titled('mount options', why), () => {
  it.each(['ext4', 'ext3'])('that are taken are taken by a mounted %s', { timeout: 120_000 }, async (fs) => {
    const directory = scratch();
    const file = imageFile(join(directory, 'disk.img'), 64 * 2 ** 20);
    await host.run(`mkfs.${fs}`, ['-q', '-F', file]);
    const device = await loopOn(file);
    const at = join(directory, 'mount');
    await host.files.makeDirectory(at);
    const refused: string[] = [];
    for (const option of allFsOptions()) if (!(await isTaken(device, at, option))) refused.push(option);
    expect(refused).toEqual([]);
    expect(allFsOptions().map(whyNotFsOptions)).toEqual(allFsOptions().map(() => undefined));
    for (const option of ['nodelalloc', 'data=journal', 'data=writeback', 'quux']) {
      expect(whyNotFsOptions(option)).toBeTypeOf('string');
      expect(await isTaken(device, at, option)).toBe(false);
    }
  });
});

describe.skipIf(why !== undefined)(titled('the largest disk', why), () => {
  it('is a file that ext4 holds, and one extent more is not', () => {
    const directory = scratch();
    expect(() => imageFile(join(directory, 'disk.img'), SIZE_BOUNDS.disk.most)).not.toThrow();
    // On other file systems the file may be larger, and the guest's own file system ends there.
    const isExt4 = (() => {
      try {
        imageFile(join(directory, 'other.img'), SIZE_BOUNDS.disk.most + SIZE_BOUNDS.disk.step);
        return false;
      } catch {
        return true;
      }
    })();
    if (!isExt4) expect(SIZE_BOUNDS.disk.most).toBeLessThan(16 * 2 ** 40);
  });
});

describe.skipIf(whyNotHere('apt-get') !== undefined)('a mirror', () => {
  it("is asked by apt's own fetcher, and nothing is left", { timeout: 120_000 }, async () => {
    const directory = scratch();
    const { uri } = await archiveOf(host, 'trixie');
    await mustAnswer(host, { uri, dist: 'trixie', directory });
    expect(await host.files.list(directory)).toEqual([]);
  });

  it.each([
    ['nobody answers at', 'http://127.0.0.1:9/debian'],
    ['has no name', 'http://mirror.invalid/debian'],
  ])('that %s is refused by name, and nothing is left', { timeout: 120_000 }, async (_what, uri) => {
    const directory = scratch();
    await expect(mustAnswer(host, { uri, dist: 'noble', directory })).rejects.toMatchObject({
      type: 'HostNotReady',
      retryable: false,
      details: { field: 'dist', value: 'noble' },
      message: expect.stringContaining(`dist noble cannot be fetched: the mirror ${uri} does not give it to this dom0`) as string,
    });
    expect(await host.files.list(directory)).toEqual([]);
  });
});
