/** What is on volumes and in images: wiping, copying, file systems, dumps, loop devices. */
import { afterAll, describe, expect, test } from 'vitest';
import { copyImage } from '../../activities/dom0/tools/copy.ts';
import { dumpToFile, listDumpOn } from '../dump-to-file.ts';
import { checkFs, fsInfo, growFs, makeSwap, newUuid } from '../../activities/dom0/tools/ext4.ts';
import { detachLoop, freeLoopDevices, loopDevicesOf } from '../../activities/dom0/tools/loop.ts';
import { createVolume, devicePath, removeVolume } from '../../activities/dom0/storage/lvm/lvm.ts';
import { zeroVolume } from '../../activities/dom0/storage/lvm/wipe.ts';
import { ToolError } from '../../system/run.ts';
import { MiB, toolErrorOf, type ContractContext } from './contract-context.ts';

const BYTES = 8 * MiB;

export function describeStorageContract(context: () => ContractContext): void {
  describe('what is on disks', () => {
    const made: string[] = [];
    const files: string[] = [];
    const newDevice = async (what: string): Promise<string> => {
      const { host, vg, name: nameOf } = context();
      const name = nameOf(what);
      made.push(name);
      await createVolume(host, { vg, name, bytes: BYTES, tags: [] });
      return devicePath(vg, name);
    };
    const newFile = async (what: string, text: string): Promise<string> => {
      const path = `${context().imageDir}/${context().name(what)}`;
      files.push(path);
      await context().host.files.writeAtomic(path, text);
      return path;
    };
    afterAll(async () => {
      for (const name of made) await removeVolume(context().host, context().vg, name);
      for (const path of files) await context().host.files.remove(path);
    });
    const isZero = async (device: string): Promise<boolean> => {
      const { code } = await context().host.run(
        'cmp',
        ['--silent', `--bytes=${String(MiB)}`, '--ignore-initial=0:0', device, '/dev/zero'],
        { okCodes: [0, 1] },
      );
      return code === 0;
    };

    test('a wiped volume reads as zeros, whatever was on it, and its progress ends with its size', async () => {
      const { host } = context();
      const device = await newDevice('wipe');
      await makeSwap(host, device);
      expect(await isZero(device)).toBe(false);
      const progress: number[] = [];
      await zeroVolume(host, device, { bytes: BYTES, onProgress: (bytes) => progress.push(bytes) });
      expect(await isZero(device)).toBe(true);
      expect(progress.at(-1)).toBe(BYTES);
    });

    test('a wipe at a bounded rate, part by part, reads as zeros to the very end', async () => {
      const { host } = context();
      const device = await newDevice('paced');
      await makeSwap(host, device);
      const rests: number[] = [];
      const sleep = (ms: number): Promise<void> => {
        rests.push(ms);
        return Promise.resolve();
      };
      await zeroVolume(host, device, { bytes: BYTES, pace: { bytesPerSecond: BYTES / 4, clock: { nowMs: () => 0, sleep } } });
      expect(rests.length).toBeGreaterThan(1);
      expect(await isZero(device)).toBe(true);
    });

    test('a wipe of the end leaves the beginning', async () => {
      const { host } = context();
      const device = await newDevice('end');
      await zeroVolume(host, device, { bytes: BYTES });
      await makeSwap(host, device);
      const progress: number[] = [];
      await zeroVolume(host, device, { bytes: BYTES, offset: BYTES / 2, onProgress: (bytes) => progress.push(bytes) });
      expect(await isZero(device)).toBe(false);
      expect(progress.at(-1)).toBe(BYTES);
    });

    test('wiping a device that is not there fails with code 1', async () => {
      const { host, vg } = context();
      expect(await toolErrorOf(zeroVolume(host, devicePath(vg, 'no-such-volume'), { bytes: BYTES }))).toMatchObject({
        code: 1,
        stderr: expect.stringMatching(/No such file/) as string,
      });
    });

    test('the tools of a file system refuse a disk that has none, each with its code', async () => {
      const { host } = context();
      const device = await newDevice('nofs');
      await zeroVolume(host, device, { bytes: BYTES });
      const badMagic = expect.stringMatching(/Bad magic number/) as string;
      expect(await toolErrorOf(checkFs(host, device))).toMatchObject({ code: 8, stderr: badMagic });
      expect(await toolErrorOf(growFs(host, device))).toMatchObject({ code: 1, stderr: badMagic });
      expect(await toolErrorOf(newUuid(host, device))).toMatchObject({ code: 1, stderr: badMagic });
      expect((await toolErrorOf(fsInfo(host, device))).stderr).toMatch(/Bad magic number/);
    });

    test('the tools of a file system say when there is no such device', async () => {
      const { host, vg } = context();
      const device = devicePath(vg, 'no-such-volume');
      expect(await toolErrorOf(checkFs(host, device))).toMatchObject({ code: 8, stderr: expect.stringMatching(/No such file/) as string });
      expect((await toolErrorOf(makeSwap(host, device))).code).toBe(1);
    });

    test('an image is copied with progress up to its size', async () => {
      const { host } = context();
      const device = await newDevice('copy');
      await zeroVolume(host, device, { bytes: BYTES });
      const text = 'x'.repeat(MiB);
      const source = await newFile('image', text);
      const progress: number[] = [];
      await copyImage(host, { source, device, bytes: text.length, targetIsZero: true, onProgress: (bytes) => progress.push(bytes) });
      expect(progress.at(-1)).toBe(text.length);
    });

    test('an image that is larger than its target is refused, and so is one that is not there', async () => {
      const { host, imageDir } = context();
      const device = await newDevice('small');
      const source = await newFile('large', 'x'.repeat(BYTES + 512));
      expect(await toolErrorOf(copyImage(host, { source, device, bytes: BYTES + 512, targetIsZero: false }))).toMatchObject({
        code: 1,
        stderr: expect.stringMatching(/output file is smaller than input file/) as string,
      });
      expect(
        await toolErrorOf(copyImage(host, { source: `${imageDir}/no-such-image`, device, bytes: BYTES, targetIsZero: false })),
      ).toMatchObject({ code: 1, stderr: expect.stringMatching(/Could not open/) as string });
    });

    test('a dump of a disk without a file system fails with the error of dump, and leaves no file', async () => {
      const { host, imageDir, name } = context();
      const device = await newDevice('dump');
      const path = `${imageDir}/${name('dump')}.dump.zst`;
      expect(await toolErrorOf(dumpToFile(host, { device, path }))).toMatchObject({
        tool: 'dump',
        code: 1,
        stderr: expect.stringMatching(/The ENTIRE dump is aborted/) as string,
      });
      expect((await host.files.list(imageDir)).filter((file) => `${imageDir}/${file}`.startsWith(path))).toEqual([]);
    });

    test('what is no dump cannot be listed', async () => {
      const { host, imageDir } = context();
      expect(await toolErrorOf(listDumpOn(host, await newFile('garbage', 'this is no dump')))).toBeInstanceOf(ToolError);
      expect(await toolErrorOf(listDumpOn(host, `${imageDir}/no-such-dump`))).toBeInstanceOf(ToolError);
    });

    test('a file without loop devices has none, and a loop device that is free can be detached again', async () => {
      const { host } = context();
      expect(await loopDevicesOf(host, await newFile('noloop', 'x'))).toEqual([]);
      const { available, maxLoop, used } = await freeLoopDevices(host);
      expect(available).toBe(true);
      expect(maxLoop).toBeGreaterThanOrEqual(0);
      expect(used).toBeGreaterThanOrEqual(0);
      await detachLoop(host, '/dev/loop250');
    });
  });
}
