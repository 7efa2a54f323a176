/** A whole file system brought back from a directory of backups, with nothing but the directory. */
import { existsSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { errorOf, run } from '../unit/cli/run.ts';
import { ID, repositoryOf, usedBlocks } from './a-repository.ts';
import { corpus, grow } from './backup-corpus.ts';
import { host, imageFile, loopOn, mounted, scratch, titled, whyNotHere } from './machine.ts';

const why = whyNotHere('mke2fs', 'e2fsck', 'e2image', 'zstd', 'losetup', 'blkdiscard', 'blkid', 'cmp');
const MiB = 2 ** 20;

interface Place {
  readonly directory: string;
  readonly repository: string;
  /** What the backup holds. */
  readonly image: Buffer;
}

async function backedUp(): Promise<Place> {
  const directory = scratch();
  const image = await usedBlocks(directory, await grow(directory, corpus(1)[0]!));
  return { directory, repository: await repositoryOf(directory, image), image: readFileSync(image) };
}

const restore = ({ repository }: Place, ...argv: string[]) => run(['restore', 'web1', '--repository', repository, ...argv]);

/** Refused with this reason, and nothing was written anywhere. */
async function isRefused(place: Place, to: string, reason: RegExp, ...argv: string[]): Promise<void> {
  const before = readdirSync(place.directory);
  const refused = await restore(place, '--to', to, '--json', ...argv);
  expect(refused.code).toBeGreaterThan(1);
  expect(errorOf(refused).message).toMatch(reason);
  expect(readdirSync(place.directory)).toEqual(before);
}

/** An image file with this in it, on a loop device. */
async function deviceOf({ directory }: Place, bytes: number, content = Buffer.alloc(0)): Promise<{ device: string; file: string }> {
  const file = imageFile(join(directory, `disk-${Math.random()}`), bytes);
  writeFileSync(file, content, { flag: 'r+' });
  return { device: await loopOn(file), file };
}

describe.skipIf(why !== undefined)(titled('guestflow restore --repository DIR NAME --to TARGET', why), () => {
  it('makes a file that is, byte for byte, what was saved', async () => {
    const place = await backedUp();
    const to = join(place.directory, 'restored.img');
    const { code, stdout, stderr } = await restore(place, '--to', to, '--json');
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(JSON.parse(stdout)).toEqual({ guest: 'web1', backup: ID, to, bytes: 16 * MiB, contentBytes: 16 * MiB });
    expect(readFileSync(to).equals(place.image)).toBe(true);
    await host.run('e2fsck', ['-f', '-n', to]);
  });

  it('writes to a block device, whose former bytes are all gone', async () => {
    const place = await backedUp();
    const { device, file } = await deviceOf(place, 24 * MiB, Buffer.alloc(24 * MiB, 'of another tenant'));
    await isRefused(place, device, /there is something on it/);
    expect((await restore(place, '--to', device, '--overwrite', '--json')).code).toBe(0);
    expect(readFileSync(file).equals(Buffer.concat([place.image, Buffer.alloc(8 * MiB)]))).toBe(true);
  });

  it('leaves what is there unless that may be overwritten', async () => {
    const place = await backedUp();
    const to = join(place.directory, 'mine.img');
    writeFileSync(to, 'mine');
    await isRefused(place, to, /a file of 4 bytes/);
    expect(readFileSync(to, 'utf8')).toBe('mine');
    expect((await restore(place, '--to', to, '--overwrite')).code).toBe(0);
    expect(readFileSync(to).equals(place.image)).toBe(true);
  });

  it('refuses a device that is too small, with numbers; one that is mounted; one that LVM has; what is neither device nor file', async () => {
    const place = await backedUp();
    const { directory } = place;
    await isRefused(
      place,
      (await deviceOf(place, 8 * MiB)).device,
      /8 MiB \(8388608 bytes\).*16 MiB.*8388608 bytes too little/,
      '--overwrite',
    );
    const busy = await deviceOf(place, 24 * MiB);
    await host.run('mke2fs', ['-q', '-F', busy.device]);
    mkdirSync(join(directory, 'at'));
    await mounted(busy.device, join(directory, 'at'));
    await isRefused(place, busy.device, /in use.*\/at/, '--overwrite');
    // The label of a physical volume, as LVM's on-disk format has it.
    const label = Buffer.alloc(MiB);
    label.write('LABELONE\x01\0\0\0\0\0\0\0\0\0\0\0\x20\0\0\0LVM2 001', 512, 'latin1');
    await isRefused(place, (await deviceOf(place, 24 * MiB, label)).device, /physical volume of LVM|something on it/);
    await isRefused(place, directory, /neither/, '--overwrite');
    symlinkSync('nowhere', join(directory, 'link'));
    await isRefused(place, join(directory, 'link'), /leads nowhere/);
    await isRefused(place, join(directory, 'no-such-directory', 'file'), /no such file/);
  });

  it('finds one changed byte in backup and in record, and leaves nothing that looks whole', async () => {
    const place = await backedUp();
    const [backup, record] = ['img.zst', 'json'].map((suffix) => join(place.repository, 'web1', `${ID}.${suffix}`)) as [string, string];
    const to = join(place.directory, 'restored.img');
    const { device, file } = await deviceOf(place, 24 * MiB);
    const whole = readFileSync(backup);
    for (const at of [4, Math.floor(whole.length / 2), whole.length - 1]) {
      const changed = Buffer.from(whole);
      changed[at]! ^= 1;
      writeFileSync(backup, changed);
      expect((await restore(place, '--to', to)).code).toBe(1);
      expect(readdirSync(place.directory).filter((name) => name.startsWith('restored'))).toEqual([]);
    }
    expect((await restore(place, '--to', device)).code).toBe(1);
    expect(readFileSync(file).subarray(0, MiB).equals(Buffer.alloc(MiB))).toBe(true);
    writeFileSync(backup, whole);
    writeFileSync(record, readFileSync(record, 'utf8').replace('"crash"', '"crasH"'));
    expect(errorOf(await restore(place, '--to', to, '--backup', ID, '--json'))).toMatchObject({ type: 'BackupUnusable' });
    expect(existsSync(to)).toBe(false);
  });

  it('that is interrupted leaves no file, and no device that looks like a file system', async () => {
    const place = await backedUp();
    const to = join(place.directory, 'restored.img');
    const { device, file } = await deviceOf(place, 24 * MiB, Buffer.alloc(4096, 'former'));
    const begun: [string, () => boolean][] = [
      [to, () => readdirSync(place.directory).some((name) => name.startsWith('restored'))],
      [
        device,
        () =>
          readFileSync(file)
            .subarray(0, 4096)
            .every((byte) => byte === 0),
      ],
    ];
    for (const [target, hasBegun] of begun) {
      const interrupt = new AbortController();
      const watch = setInterval(() => {
        if (hasBegun()) interrupt.abort();
      }, 5);
      const argv = ['restore', 'web1', '--repository', place.repository, '--to', target, '--overwrite'];
      expect(await run(argv, { interrupt: interrupt.signal })).toMatchObject({
        code: 130,
        stderr: expect.stringContaining('interrupted') as unknown,
      });
      clearInterval(watch);
    }
    expect(readdirSync(place.directory).filter((name) => name.startsWith('restored'))).toEqual([]);
    expect((await host.run('blkid', ['--probe', device], { okCodes: [2] })).stdout).toBe('');
    expect(readFileSync(file).subarray(0, MiB).equals(Buffer.alloc(MiB))).toBe(true);
  });

  it('asks for the place', async () => {
    const place = await backedUp();
    expect(errorOf(await restore(place, '--json'))).toMatchObject({ type: 'InvalidInput', field: 'to' });
  });
});
