/** A file system that gets another size, by the real e2fsprogs: how small it can become, what a kill leaves, and how a guest grows its own. */
import { execFile, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { chmodSync, copyFileSync, mkdirSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';
import { GROW_FS_SCRIPT } from '../../activities/dom0/guests/scripts.ts';
import { checkFs, fsInfo, leastFsBytes, shrinkFs, verifyFs } from '../../activities/dom0/tools/ext4.ts';
import { host, imageFile, loopOn, mounted, scratch, titled, whyNotHere } from './machine.ts';

const MiB = 2 ** 20;
const why = whyNotHere('mkfs.ext4', 'e2fsck', 'resize2fs', 'dumpe2fs', 'losetup', 'mount');
const run = promisify(execFile);

/** A mounted file system may be resized by who has CAP_SYS_RESOURCE (bit 24): root of a guest, but not of each container (Linux, fs/ext4/ioctl.c). */
const mayResize =
  (BigInt(`0x${/^CapEff:\s*([0-9a-f]+)$/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[1] ?? '0'}`) & (1n << 24n)) !== 0n;

/** A file system whose content lies at its end, so that a smaller one has to move it. */
async function scattered(directory: string): Promise<{ image: string; sums: Record<string, string> }> {
  const image = imageFile(join(directory, 'disk.img'), 256 * MiB);
  await host.run('mkfs.ext4', ['-q', '-F', image]);
  const root = join(directory, 'guest');
  const mount = await mounted(await loopOn(image), root);
  for (const [part, count] of [
    ['first', 80],
    ['last', 60],
  ] as const) {
    mkdirSync(join(root, part));
    for (let index = 0; index < count; index += 1)
      writeFileSync(join(root, part, String(index)), Buffer.alloc(MiB, `${part}${String(index)}`));
  }
  for (let index = 0; index < 500; index += 1) writeFileSync(join(root, 'last', `small${String(index)}`), String(index));
  rmSync(join(root, 'first'), { recursive: true });
  const sums = sumsOf(root);
  await mount.unmount();
  return { image, sums };
}

function sumsOf(root: string): Record<string, string> {
  return Object.fromEntries(
    readdirSync(join(root, 'last'))
      .sort()
      .map((name) => [
        name,
        createHash('sha256')
          .update(readFileSync(join(root, 'last', name)))
          .digest('hex'),
      ]),
  );
}

async function contentOf(image: string, at: string): Promise<Record<string, string>> {
  const mount = await mounted(await loopOn(image), at);
  const sums = sumsOf(at);
  await mount.unmount();
  return sums;
}

describe.skipIf(why !== undefined)(titled('a file system', why), () => {
  it('can be made as small as resize2fs estimates, keeps its content, and is refused when it is to be far smaller', async () => {
    const directory = scratch();
    const { image, sums } = await scattered(directory);
    await checkFs(host, image);
    const least = await leastFsBytes(host, image);
    expect(least).toBeGreaterThan(60 * MiB);
    expect(least).toBeLessThan(200 * MiB);
    await expect(shrinkFs(host, image, 32 * MiB)).rejects.toThrow(/resize2fs/);
    await shrinkFs(host, image, least);
    await verifyFs(host, image);
    truncateSync(image, least);
    await verifyFs(host, image);
    expect(await contentOf(image, join(directory, 'smaller'))).toEqual(sums);
  });

  it('that resize2fs was killed in is mended by e2fsck with all of its content, or is left for a person: it never loses anything without a word', async () => {
    const directory = scratch();
    const { image, sums } = await scattered(directory);
    await checkFs(host, image);
    const half = join(directory, 'half.img');
    let killed = 0;
    for (const ms of [2, 20, 50, 80, 120]) {
      copyFileSync(image, half);
      const child = spawn('resize2fs', [half, '128M'], { stdio: 'ignore' });
      const ended = new Promise<NodeJS.Signals | null>((resolve) =>
        child.once('exit', (_code, signal) => {
          resolve(signal);
        }),
      );
      setTimeout(() => child.kill('SIGKILL'), ms);
      if ((await ended) === 'SIGKILL') killed += 1;
      const { code } = await host.run('e2fsck', ['-f', '-p', half], { okCodes: [0, 1, 4] });
      if (code === 4) continue;
      await verifyFs(host, half);
      expect(await contentOf(half, join(directory, `after-${String(ms)}`))).toEqual(sums);
    }
    expect(killed).toBeGreaterThan(0);
  });

  it.skipIf(!mayResize)(
    titled(
      'is grown by its guest while it is mounted, as soon as the larger disk is seen; and again is nothing',
      mayResize ? undefined : 'needs CAP_SYS_RESOURCE',
    ),
    async () => {
      const directory = scratch();
      const image = imageFile(join(directory, 'disk.img'), 256 * MiB);
      await host.run('mkfs.ext4', ['-q', '-F', image]);
      const device = await loopOn(image);
      const root = join(directory, 'guest');
      const mount = await mounted(device, root);
      writeFileSync(join(root, 'file'), 'content');
      // In a guest its root is meant: here, what is mounted for the test.
      const tools = join(directory, 'bin');
      mkdirSync(tools);
      writeFileSync(join(tools, 'findmnt'), `#!/bin/sh\nexec /usr/bin/findmnt -n -o "$3" -- '${root}'\n`);
      chmodSync(join(tools, 'findmnt'), 0o755);
      const guest = async (bytes: number): Promise<string> => {
        const running = run('sh', ['-c', GROW_FS_SCRIPT], { env: { ...process.env, PATH: `${tools}:${process.env['PATH'] ?? ''}` } });
        running.child.stdin?.end(`${String(bytes)}\n`);
        return (await running).stdout;
      };
      truncateSync(image, 512 * MiB);
      const growing = guest(512 * MiB);
      await host.run('losetup', ['--set-capacity', device]);
      for (const said of [await growing, await guest(512 * MiB)]) expect(said).toBe('count=131072\nsize=4096\n');
      expect(readFileSync(join(root, 'file'), 'utf8')).toBe('content');
      await mount.unmount();
      await verifyFs(host, device);
      const { blocks, blockSize } = await fsInfo(host, device);
      expect(blocks * blockSize).toBe(512 * MiB);
    },
  );
});
