/** The dom0's files by `HostFiles`, and the key that ssh-keygen makes. */
import { describe, expect, test } from 'vitest';
import { makeKey } from '../../activities/dom0/tools/guest-ssh.ts';
import type { ContractContext } from './contract-context.ts';

export function describeFileContract(context: () => ContractContext): void {
  const within = async (work: (directory: string) => Promise<void>): Promise<void> => {
    const { host, imageDir, name } = context();
    const directory = `${imageDir}/${name('files')}`;
    await host.files.makeDirectory(directory, 0o700);
    await work(directory);
    await host.files.removeTree(directory);
    expect(await host.files.info(directory)).toBeUndefined();
  };

  describe('files', () => {
    test('a file is written whole, with its mode, and nothing else is left beside it', () =>
      within(async (directory) => {
        const { files } = context().host;
        await files.writeAtomic(`${directory}/a`, 'one');
        await files.writeAtomic(`${directory}/a`, Buffer.from('two'));
        expect(String(await files.read(`${directory}/a`))).toBe('two');
        expect(await files.info(`${directory}/a`)).toMatchObject({ kind: 'file', bytes: 3, mode: 0o600 });
        expect(await files.list(directory)).toEqual(['a']);
      }));

    test('a sink appears under its name at its commit, and never when it is aborted', () =>
      within(async (directory) => {
        const { files } = context().host;
        const kept = await files.sink(`${directory}/kept`);
        await kept.write(Buffer.from('ab'));
        expect(await files.info(`${directory}/kept`)).toBeUndefined();
        await kept.write(Buffer.from('cd'));
        await kept.commit();
        await kept.abort();
        const dropped = await files.sink(`${directory}/dropped`);
        await dropped.write(Buffer.from('x'));
        await dropped.abort();
        expect(await files.list(directory)).toEqual(['kept']);
        expect(String(await files.read(`${directory}/kept`))).toBe('abcd');
      }));

    test('what is not there is undefined or empty, and removing it is fine', () =>
      within(async (directory) => {
        const { files } = context().host;
        const nothing = `${directory}/nothing`;
        expect(await files.read(nothing)).toBeUndefined();
        expect(await files.info(nothing)).toBeUndefined();
        expect(await files.readLink(nothing)).toBeUndefined();
        expect(await files.list(nothing)).toEqual([]);
        await files.remove(nothing);
        await files.removeTree(nothing);
        await expect(files.rename(nothing, `${directory}/x`)).rejects.toMatchObject({ code: 'ENOENT' });
        await expect(files.writeAtomic(`${nothing}/x`, 'x')).rejects.toMatchObject({ code: 'ENOENT' });
      }));

    test('links are seen as links, are not made twice, and a tree is removed without following them', () =>
      within(async (directory) => {
        const { files } = context().host;
        await files.makeDirectory(`${directory}/kept/deep`);
        await files.writeAtomic(`${directory}/kept/file`, 'x');
        await files.makeDirectory(`${directory}/tree`);
        await files.symlink(`${directory}/kept`, `${directory}/tree/link`);
        expect(await files.readLink(`${directory}/tree/link`)).toBe(`${directory}/kept`);
        expect((await files.info(`${directory}/tree/link`))?.kind).toBe('symlink');
        await expect(files.symlink('x', `${directory}/tree/link`)).rejects.toMatchObject({ code: 'EEXIST' });
        await files.removeTree(`${directory}/tree`);
        expect(await files.list(`${directory}/kept`)).toEqual(expect.arrayContaining(['deep', 'file']));
      }));

    test('what is no link leads nowhere', () =>
      within(async (directory) => {
        const { files } = context().host;
        await files.writeAtomic(`${directory}/file`, 'x');
        expect(await files.readLink(`${directory}/file`)).toBeUndefined();
        expect(await files.readLink(directory)).toBeUndefined();
      }));

    test('a directory that holds an image is renamed with it', () =>
      within(async (directory) => {
        const { files } = context().host;
        await files.makeDirectory(`${directory}/made`);
        await files.writeAtomic(`${directory}/made/disk.img`, 'image');
        await files.rename(`${directory}/made`, `${directory}/domain`);
        expect(String(await files.read(`${directory}/domain/disk.img`))).toBe('image');
        expect(await files.info(`${directory}/made`)).toBeUndefined();
      }));

    test('the head of a file is its first bytes, all of a shorter one, and undefined where there is none', () =>
      within(async (directory) => {
        const { files } = context().host;
        // Bytes that no text has, and more than one of those blocks in which files are read.
        const bytes = Buffer.alloc(200_000, Buffer.from([0x00, 0xff, 0x0a, 0x80, 0x0d]));
        await files.writeAtomic(`${directory}/long`, bytes);
        expect(await files.readHead(`${directory}/long`, 150_001)).toEqual(bytes.subarray(0, 150_001));
        expect(await files.readHead(`${directory}/long`, 200_001)).toEqual(bytes);
        await files.writeAtomic(`${directory}/empty`, '');
        expect(await files.readHead(`${directory}/empty`, 10)).toEqual(Buffer.alloc(0));
        expect(await files.readHead(`${directory}/nothing`, 10)).toBeUndefined();
        expect(await files.readHead(`${directory}/nothing/below`, 10)).toBeUndefined();
        await files.symlink('long', `${directory}/link`);
        expect(await files.readHead(`${directory}/link`, 3)).toEqual(bytes.subarray(0, 3));
        await expect(files.readHead(directory, 10)).rejects.toMatchObject({ code: 'EISDIR' });
      }));

    test('a file that is wiped is gone, of a link only the link, and what is not there is fine', () =>
      within(async (directory) => {
        const { files } = context().host;
        await files.writeAtomic(`${directory}/state`, Buffer.alloc(300_000, 'memory of a tenant'));
        await files.writeAtomic(`${directory}/empty`, '');
        await files.writeAtomic(`${directory}/another`, 'stays');
        await files.symlink(`${directory}/another`, `${directory}/link`);
        await files.symlink(`${directory}/nowhere`, `${directory}/dangling`);
        for (const name of ['state', 'empty', 'link', 'dangling', 'nothing']) await files.wipe(`${directory}/${name}`);
        expect(await files.list(directory)).toEqual(['another']);
        expect(String(await files.read(`${directory}/another`))).toBe('stays');
      }));

    test('a directory is not wiped', () =>
      within(async (directory) => {
        const { files } = context().host;
        await files.makeDirectory(`${directory}/kept`);
        await expect(files.wipe(`${directory}/kept`)).rejects.toMatchObject({ code: 'EISDIR' });
        expect(await files.list(directory)).toEqual(['kept']);
      }));

    test('there is room, and a key made twice is one key', () =>
      within(async (directory) => {
        const { host } = context();
        expect(await host.files.freeBytes(directory)).toBeGreaterThan(0);
        const key = await makeKey(host, `${directory}/key`, 'guestflow-provision-x');
        expect(key).toMatch(/^ssh-ed25519 \S{68} guestflow-provision-x$/);
        expect((await host.files.info(`${directory}/key`))?.mode).toBe(0o600);
        expect(await makeKey(host, `${directory}/key`, 'guestflow-provision-x')).toBe(key);
      }));
  });
}
