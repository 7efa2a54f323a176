/** The golden root file system by the real xen-tools, zstd and debugfs: what becomes a guest of it is what xen-tools makes of that guest itself. */
import { createHash } from 'node:crypto';
import { copyFileSync, lstatSync, readdirSync, readFileSync, readlinkSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { MiB } from '../../contract/sizes.ts';
import type { GuestSpec } from '../../contract/guest.ts';
import { createEnv } from '../../activities/dom0/drivers.ts';
import type { StepEnv } from '../../activities/dom0/env.ts';
import { ensureGoldenRoot, openGoldenRoot } from '../../activities/dom0/images/golden-root.ts';
import { goldenNetwork } from '../../activities/dom0/images/golden-system.ts';
import { makeImage } from '../../activities/dom0/images/make-image.ts';
import { makePersonal } from '../../activities/dom0/images/make-personal.ts';
import { passwordPublicKey, ensurePasswordKey } from '../../activities/dom0/password-key.ts';
import { fillDisk } from '../../activities/dom0/steps/restore.ts';
import { fsInfo } from '../../activities/dom0/tools/ext4.ts';
import { OfflineFiles } from '../../activities/dom0/tools/offline-files.ts';
import { sealBox } from '../../system/sealed-box.ts';
import { settings, spec } from '../unit/activities/dom0/steps/support.ts';
import { makeTarball, makeTree } from './guest-tree.ts';
import { host, imageFile, loopOn, mounted, scratch, titled, whyNotHere } from './machine.ts';
import { prepared, preparedHost } from './prepared.ts';

const why = whyNotHere('xen-create-image', 'unshare', 'setpriv', 'mkfs.ext4', 'tar', 'ssh-keygen', 'debugfs', 'zstd');
const HASH = `$6$salt$${'a'.repeat(86)}`;
const ROLES = fileURLToPath(new URL('../../deploy/dom0/role.d', import.meta.url));

/** A dom0 below a directory, with a golden tarball that is a small tree. */
async function dom0In(directory: string): Promise<StepEnv> {
  const goldenDir = join(directory, 'golden');
  await host.files.makeDirectory(goldenDir);
  await host.files.makeDirectory(join(directory, 'modules/6.1.0-test'));
  for (const file of ['kernel', 'initrd']) writeFileSync(join(directory, file), '');
  const tarball = await makeTarball(makeTree(join(directory, 'tree')), join(goldenDir, 'bookworm.tar'));
  const sha256 = createHash('sha256').update(readFileSync(tarball)).digest('hex');
  const record = { dist: 'bookworm', sha256, bytes: statSync(tarball).size, createdAt: new Date().toISOString() };
  writeFileSync(`${tarball}.json`, JSON.stringify(record));
  return createEnv({
    host: preparedHost(prepared(directory)),
    settings: {
      ...settings(),
      goldenDir,
      stateDir: join(directory, 'state'),
      imageDir: join(directory, 'images'),
      roleDir: ROLES,
      kernel: join(directory, 'kernel'),
      initrd: join(directory, 'initrd'),
      modules: join(directory, 'modules/6.1.0-test'),
      mirror: 'http://127.0.0.1:9/debian',
    },
    signal: AbortSignal.timeout(300_000),
    attempt: 1,
    progress: () => undefined,
    log: { info: () => undefined, warn: () => undefined },
  });
}

function guest(change: Partial<GuestSpec['access']> = {}): GuestSpec {
  return spec('web1', '10.0.0.7', {
    hostname: 'shop.example.org',
    size: { diskBytes: 96 * MiB },
    os: { timezone: 'Europe/Berlin' },
    access: { sshKeys: [`ssh-ed25519 ${'A'.repeat(68)} tenant@home`], ...change },
    network: { ipv6: { address: '2001:db8::7', gateway: '2001:db8::1' } },
  });
}

/** The guest's disk as the step makes it, in a file. */
async function fromGolden(env: StepEnv, of: GuestSpec, directory: string): Promise<string> {
  await ensureGoldenRoot(env, of);
  const device = imageFile(join(directory, `${of.name}.img`), of.size.diskBytes);
  await fillDisk(env, await openGoldenRoot(env, of), { device, bytes: of.size.diskBytes });
  await makePersonal(env, of, device, { network: goldenNetwork(env.settings), isGolden: true });
  return device;
}

/** Of what is random only that it is there; of the network's files what is said in them, comments aside. */
function contentOf(name: string, text: string): string {
  if (/ssh_host|authorized_keys/.test(name)) return '(a key)';
  return name === 'interfaces' ? text.replaceAll(/^\s*(#.*)?\n/gm, '') : text;
}

/** Each file of a tree: kind, mode, owner, and what is in it. */
async function treeOf(image: string, at: string): Promise<Record<string, string>> {
  const { unmount } = await mounted(await loopOn(image), at);
  const found: Record<string, string> = {};
  const walk = (path: string): void => {
    for (const name of readdirSync(join(at, path)).sort()) {
      const [below, full] = [join(path, name), join(at, path, name)];
      const { mode, uid, gid } = lstatSync(full);
      const kind = `${mode.toString(8)} ${String(uid)}:${String(gid)}`;
      if ((mode & 0o170000) === 0o120000) found[below] = `${kind} -> ${readlinkSync(full)}`;
      else if ((mode & 0o170000) === 0o040000) {
        found[below] = kind;
        walk(below);
      } else found[below] = `${kind} ${contentOf(name, readFileSync(full, 'utf8'))}`;
    }
  };
  walk('/');
  await unmount();
  return found;
}

describe.skipIf(why !== undefined)(titled('a guest from the golden root file system', why), () => {
  it('has the files that xen-tools gives it, with its own password, and nothing else', async () => {
    const directory = scratch();
    const env = await dom0In(directory);
    await ensurePasswordKey(env);
    const box = await sealBox(HASH, (await passwordPublicKey(env)) ?? '', guest().order);
    const of = guest({ sealedPassword: { [env.settings.host]: box } });
    await makeImage(env, of);
    const byHand = join(directory, 'by-hand.img');
    copyFileSync(join(env.settings.imageDir, 'domains/web1/disk.img'), byHand);
    const device = await fromGolden(env, of, directory);
    await host.run('e2fsck', ['-f', '-n', device]);
    const [golden, image] = [await treeOf(device, join(directory, 'a')), await treeOf(byHand, join(directory, 'b'))];
    expect(golden).toEqual(image);
    expect(golden['/etc/shadow']).toContain(`root:${HASH}:`);
  });

  it('shares nothing with another one that a machine has to itself, and is as large as its disk', async () => {
    const directory = scratch();
    const env = await dom0In(directory);
    const other = spec('web2', '10.0.0.8', { size: { diskBytes: 128 * MiB }, os: { timezone: 'Europe/Berlin' } });
    const devices = [await fromGolden(env, guest(), directory), await fromGolden(env, other, directory)];
    const [one, two] = await Promise.all(
      devices.map(async (device) => {
        const files = new OfflineFiles(host, device, AbortSignal.timeout(60_000));
        return {
          fs: await fsInfo(host, device),
          own: [await files.read('/etc/ssh/ssh_host_ed25519_key'), await files.read('/root/.ssh/authorized_keys')],
          machineId: await files.read('/etc/machine-id'),
        };
      }),
    );
    expect(one?.fs.uuid).not.toBe(two?.fs.uuid);
    for (const [index, text] of (one?.own ?? []).entries()) expect(text).not.toBe(two?.own[index]);
    expect([one?.machineId, two?.machineId]).toEqual(['', '']);
    expect((two?.fs.blocks ?? 0) * (two?.fs.blockSize ?? 0)).toBe(128 * MiB);
  });

  it('is installed once, and anew where something else is on it', async () => {
    const directory = scratch();
    const env = await dom0In(directory);
    const first = await ensureGoldenRoot(env, guest());
    expect(first.reused).toBe(false);
    expect(await ensureGoldenRoot(env, { ...guest(), name: 'web2' })).toEqual({ ...first, reused: true });
    const elsewhere = { ...guest(), os: { ...guest().os, timezone: 'UTC' } };
    expect(await ensureGoldenRoot(env, elsewhere)).toMatchObject({ reused: false });
    expect(readdirSync(env.settings.goldenDir).sort()).toHaveLength(2 + 2 * 2);
  });

  it('that is damaged is noticed before a guest starts from it, is given up, and made anew', async () => {
    const directory = scratch();
    const env = await dom0In(directory);
    const { path } = await ensureGoldenRoot(env, guest());
    const bytes = readFileSync(path);
    bytes[bytes.length >> 1] = (bytes[bytes.length >> 1] ?? 0) ^ 1;
    writeFileSync(path, bytes);
    const device = imageFile(join(directory, 'disk.img'), 96 * MiB);
    const golden = await openGoldenRoot(env, guest());
    await expect(golden.restore({ device, bytes: 96 * MiB })).rejects.toThrow(/is damaged, and was given up/);
    expect(await ensureGoldenRoot(env, guest())).toMatchObject({ reused: false });
  });
});
