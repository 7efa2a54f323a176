/** LVM as the tool module uses it. */
import { afterAll, describe, expect, test } from 'vitest';
import {
  activateVolume,
  createSnapshot,
  createVolume,
  devicePath,
  extendVolume,
  reduceVolume,
  removeVolume,
  renameVolume,
  tagVolume,
} from '../../activities/dom0/storage/lvm/lvm.ts';
import { listVolumes, volumeGroup, type Volume } from '../../activities/dom0/storage/lvm/reports.ts';
import { MiB, toolErrorOf, type ContractContext } from './contract-context.ts';

export function describeVolumeContract(context: () => ContractContext): void {
  describe('volumes', () => {
    const made: string[] = [];
    const newName = (what: string): string => {
      const name = context().name(what);
      made.push(name);
      return name;
    };
    const find = async (name: string): Promise<Volume | undefined> =>
      (await listVolumes(context().host, context().vg)).find((volume) => volume.name === name);
    const make = async (what: string, bytes = 8 * MiB, tags: string[] = []): Promise<string> => {
      const name = newName(what);
      await createVolume(context().host, { vg: context().vg, name, bytes, tags });
      return name;
    };
    afterAll(async () => {
      for (const name of made) await removeVolume(context().host, context().vg, name);
    });

    test('a volume group says its size in whole extents', async () => {
      const { host, vg } = context();
      const group = await volumeGroup(host, vg);
      expect(group?.name).toBe(vg);
      expect(group?.extentBytes).toBe(4 * MiB);
      expect((group?.sizeBytes ?? 1) % (4 * MiB)).toBe(0);
      expect(group?.freeBytes).toBeLessThanOrEqual(group?.sizeBytes ?? 0);
    });

    test('a volume group that does not exist is undefined, and listing its volumes fails with code 5', async () => {
      const { host } = context();
      expect(await volumeGroup(host, 'no-such-group')).toBeUndefined();
      expect(await toolErrorOf(listVolumes(host, 'no-such-group'))).toMatchObject({
        code: 5,
        stderr: expect.stringMatching(/Volume group "no-such-group" not found/) as string,
      });
    });

    test('a new volume is rounded up to whole extents, carries its tags, has a device, and takes its room from the group', async () => {
      const { host, vg } = context();
      const before = (await volumeGroup(host, vg))?.freeBytes ?? 0;
      const name = await make('new', 5 * MiB, ['guestflow', 'guestflow.guest=g1']);
      expect(await find(name)).toEqual({
        name,
        bytes: 8 * MiB,
        tags: ['guestflow', 'guestflow.guest=g1'],
        invalid: false,
        open: false,
        state: 'active',
      });
      expect((await host.files.info(devicePath(vg, name)))?.kind).toBe('symlink');
      expect((await volumeGroup(host, vg))?.freeBytes).toBe(before - 8 * MiB);
    });

    test('a name that is taken is refused with code 5 and the word "already exists"', async () => {
      const name = await make('twice');
      const { host, vg } = context();
      expect(await toolErrorOf(createVolume(host, { vg, name, bytes: 8 * MiB, tags: [] }))).toMatchObject({
        code: 5,
        stderr: expect.stringContaining(`"${name}" already exists in volume group "${vg}"`) as string,
      });
    });

    test('a name that LVM reserves is refused with code 3', async () => {
      const { host, vg } = context();
      expect(await toolErrorOf(createVolume(host, { vg, name: 'snapshot-db', bytes: 8 * MiB, tags: [] }))).toMatchObject({
        code: 3,
        stderr: expect.stringMatching(/reserved/) as string,
      });
    });

    test('a volume that is larger than the room left is refused with code 5 and makes nothing', async () => {
      const { host, vg } = context();
      const name = newName('huge');
      const bytes = ((await volumeGroup(host, vg))?.freeBytes ?? 0) + 4 * MiB;
      expect(await toolErrorOf(createVolume(host, { vg, name, bytes, tags: [] }))).toMatchObject({
        code: 5,
        stderr: expect.stringMatching(/insufficient free space \(\d+ extents\): \d+ required/) as string,
      });
      expect(await find(name)).toBeUndefined();
    });

    test('a renamed volume keeps size and tags, and its old name is free', async () => {
      const { host, vg } = context();
      const name = await make('old', 8 * MiB, ['guestflow']);
      const other = newName('del');
      await renameVolume(host, vg, name, other);
      expect(await find(name)).toBeUndefined();
      expect(await find(other)).toMatchObject({ bytes: 8 * MiB, tags: ['guestflow'] });
      expect(await host.files.info(devicePath(vg, name))).toBeUndefined();
    });

    test('renaming what is not there, or onto what is, fails with code 5', async () => {
      const { host, vg } = context();
      const [one, two] = [await make('one'), await make('two')];
      expect(await toolErrorOf(renameVolume(host, vg, 'no-such-volume', newName('x')))).toMatchObject({
        code: 5,
        stderr: expect.stringMatching(/"no-such-volume" not found in volume group/) as string,
      });
      expect(await toolErrorOf(renameVolume(host, vg, one, two))).toMatchObject({
        code: 5,
        stderr: expect.stringMatching(/already exists in volume group/) as string,
      });
    });

    test('tags are added and taken away in one call, and saying it again changes nothing', async () => {
      const { host, vg } = context();
      const name = await make('tags', 4 * MiB, ['keep', 'go']);
      for (let round = 0; round < 2; round += 1) {
        await tagVolume(host, vg, name, { add: ['new'], remove: ['go'] });
        expect([...((await find(name))?.tags ?? [])].sort()).toEqual(['keep', 'new']);
      }
      expect(await toolErrorOf(tagVolume(host, vg, 'no-such-volume', { add: ['new'] }))).toMatchObject({
        code: 5,
        stderr: expect.stringMatching(/Failed to find logical volume/) as string,
      });
    });

    test('a volume grows, and a size that is not larger is refused with code 5', async () => {
      const { host, vg } = context();
      const name = await make('grow', 4 * MiB);
      await extendVolume(host, vg, name, 12 * MiB);
      expect((await find(name))?.bytes).toBe(12 * MiB);
      expect(await toolErrorOf(extendVolume(host, vg, name, 12 * MiB))).toMatchObject({
        code: 5,
        // LVM 2.03.16 of Debian 12, and 2.03.31 of Debian 13.
        stderr: expect.stringMatching(/matches existing size|No size change/) as string,
      });
      expect((await toolErrorOf(extendVolume(host, vg, name, 8 * MiB))).code).toBe(5);
    });

    test('a volume shrinks, and a size that is not smaller is refused with code 5', async () => {
      const { host, vg } = context();
      const name = await make('shrink', 12 * MiB);
      await reduceVolume(host, vg, name, 4 * MiB);
      expect((await find(name))?.bytes).toBe(4 * MiB);
      expect((await toolErrorOf(reduceVolume(host, vg, name, 4 * MiB))).code).toBe(5);
      expect((await toolErrorOf(reduceVolume(host, vg, name, 8 * MiB))).code).toBe(5);
    });

    test('a snapshot names its origin, says how full it is, and goes with its origin', async () => {
      const { host, vg } = context();
      const origin = await make('origin');
      const snapshot = newName('snap');
      await createSnapshot(host, { vg, origin, name: snapshot, bytes: 8 * MiB, tags: ['guestflow'] });
      const found = await find(snapshot);
      expect(found).toMatchObject({ origin, tags: ['guestflow'], invalid: false });
      expect(found?.dataPercent).toBeLessThan(50);
      expect((await find(origin))?.origin).toBeUndefined();
      await removeVolume(host, vg, origin);
      expect(await find(snapshot)).toBeUndefined();
    });

    test('a volume that is not active has no device, can be renamed and removed all the same, and gets its device back', async () => {
      const { host, vg } = context();
      const old = await make('inactive', 8 * MiB, ['guestflow']);
      const name = newName('renamed');
      await host.run('lvchange', ['-qq', '-an', `${vg}/${old}`]);
      expect(await find(old)).toMatchObject({ state: 'inactive', open: false, tags: ['guestflow'] });
      expect(await host.files.info(devicePath(vg, old))).toBeUndefined();
      await renameVolume(host, vg, old, name);
      for (let round = 0; round < 2; round += 1) {
        await activateVolume(host, vg, { name, state: 'inactive' });
        expect(await find(name)).toMatchObject({ state: 'active' });
        expect((await host.files.info(devicePath(vg, name)))?.kind).toBe('symlink');
      }
      await host.run('lvchange', ['-qq', '-an', `${vg}/${name}`]);
      await removeVolume(host, vg, name);
      expect(await find(name)).toBeUndefined();
    });

    test('the origin of a snapshot that is suspended is listed as that, and answers again when it is activated', async () => {
      const { host, vg } = context();
      const origin = await make('suspended');
      const mapped = [vg, origin].map((part) => part.replaceAll('-', '--')).join('-');
      for (const isOrigin of [false, true]) {
        if (isOrigin) await createSnapshot(host, { vg, origin, name: newName('snap'), bytes: 8 * MiB, tags: [] });
        await host.run('dmsetup', ['suspend', mapped]);
        const listed = await find(origin);
        await activateVolume(host, vg, { name: origin, state: 'suspended' });
        expect(listed).toMatchObject({ state: 'suspended' });
        expect(await find(origin)).toMatchObject({ state: 'active' });
        // What is active is left as it is.
        await activateVolume(host, vg, { name: origin, state: 'suspended' });
        expect(await find(origin)).toMatchObject({ state: 'active' });
      }
    });

    test('a snapshot of nothing fails with code 5', async () => {
      const { host, vg } = context();
      expect(
        (await toolErrorOf(createSnapshot(host, { vg, origin: 'no-such-volume', name: newName('snap'), bytes: 8 * MiB, tags: [] }))).code,
      ).toBe(5);
    });

    test('a removed volume gives its room back, its device is gone, and removing it again is fine', async () => {
      const { host, vg } = context();
      const before = (await volumeGroup(host, vg))?.freeBytes;
      const name = await make('gone');
      await removeVolume(host, vg, name);
      expect(await find(name)).toBeUndefined();
      expect(await host.files.info(devicePath(vg, name))).toBeUndefined();
      expect((await volumeGroup(host, vg))?.freeBytes).toBe(before);
      await removeVolume(host, vg, name);
    });
  });
}
