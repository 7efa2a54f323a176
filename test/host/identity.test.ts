/** A copy of a system is made another machine by the real debugfs, with nothing mounted. */
import { execFileSync } from 'node:child_process';
import { mkdirSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { MiB } from '../../contract/sizes.ts';
import { makePersonal } from '../../activities/dom0/images/make-personal.ts';
import { fsInfo } from '../../activities/dom0/tools/ext4.ts';
import { OfflineFiles } from '../../activities/dom0/tools/offline-files.ts';
import { settings, spec, stepEnv } from '../unit/activities/dom0/steps/support.ts';
import { host, scratch, whyNotHere } from './machine.ts';

const why = whyNotHere('mke2fs', 'e2fsck', 'dumpe2fs', 'debugfs', 'tune2fs', 'ssh-keygen');
const ORIGIN = spec('web1', '10.0.0.5').network;
const KEY = `ssh-ed25519 ${'A'.repeat(68)} tenant@home`;
const UUID = '0aeb4b73-9d4f-4b1e-9f43-5a7c0c3f2f11';

const SYSTEM: Readonly<Record<string, string>> = {
  'etc/hostname': 'web1\n',
  'etc/hosts': '127.0.0.1\tlocalhost\n10.0.0.5\tweb1\n192.0.2.9\tdatabase\n::1\tlocalhost\n\n',
  'etc/mailname': 'web1\n',
  'etc/machine-id': `${'5'.repeat(32)}\n`,
  'etc/fstab': `UUID=${UUID} / ext4 noatime 0 1\n/dev/xvda1 none swap sw 0 0\n`,
  'etc/network/interfaces': 'auto eth0\niface eth0 inet static\n address 10.0.0.5\n',
  'etc/ssh/ssh_host_ed25519_key': 'private\n',
  'etc/ssh/ssh_host_ed25519_key.pub': 'public\n',
  'etc/ssh/ssh_host_rsa_key': 'private too\n',
  'etc/ssh/sshd_config': 'PermitRootLogin yes\n',
  'root/.ssh/authorized_keys': `${KEY}\nssh-ed25519 ${'B'.repeat(68)} guestflow-provision-web1\n`,
  'var/lib/systemd/random-seed': 'seed',
  'var/lib/dbus/machine-id': `${'5'.repeat(32)}\n`,
  'srv/data': 'kept',
};

async function systemOn(
  directory: string,
  options: readonly string[] = [],
  more: (tree: string) => void = () => undefined,
): Promise<string> {
  const [image, tree] = [join(directory, 'root.img'), join(directory, 'tree')];
  for (const [path, text] of Object.entries(SYSTEM)) {
    mkdirSync(dirname(join(tree, path)), { recursive: true });
    writeFileSync(join(tree, path), text);
  }
  more(tree);
  writeFileSync(image, '');
  truncateSync(image, 32 * MiB);
  await host.run('mke2fs', ['-q', '-F', '-t', 'ext4', '-U', UUID, ...options, '-d', tree, image]);
  return image;
}

/** What the step does with it: keys and records of the guest are below the scratch directory. */
async function personal(directory: string, image: string): Promise<void> {
  const env = stepEnv(host);
  const work = { ...env, settings: { ...settings(), stateDir: join(directory, 'state') } };
  await makePersonal(work, spec('web2', '10.0.0.6', { hostname: 'second.example.org', access: { sshKeys: [KEY] } }), image, {
    network: ORIGIN,
  });
}

describe.skipIf(why !== undefined)('a copy of a system', () => {
  it.each([[[]], [['-b', '1024']], [['-O', 'metadata_csum_seed,orphan_file']]])(
    'on a file system made with %j is another machine, and all else on it stays',
    async (options) => {
      const directory = scratch();
      const image = await systemOn(directory, options);
      await personal(directory, image);
      await host.run('e2fsck', ['-f', '-n', image]);
      const files = new OfflineFiles(host, image, AbortSignal.timeout(60_000));
      const read = async (path: string): Promise<string | undefined> => files.read(path);
      const { uuid } = await fsInfo(host, image);
      expect(uuid).not.toBe(UUID);
      expect(await read('/etc/fstab')).toBe(SYSTEM['etc/fstab']?.replace(UUID, uuid));
      expect(await read('/etc/hostname')).toBe('second\n');
      expect(await read('/etc/hosts')).toBe(
        '127.0.0.1\tlocalhost\n10.0.0.6\tsecond.example.org second\n192.0.2.9\tdatabase\n::1\tlocalhost\n',
      );
      expect(await read('/etc/mailname')).toBe('second.example.org\n');
      expect(await read('/etc/machine-id')).toBe('');
      expect(await read('/var/lib/systemd/random-seed')).toBeUndefined();
      expect(await read('/etc/network/interfaces')).toContain(' address 10.0.0.6\n');
      const keys = await read('/root/.ssh/authorized_keys');
      expect(keys?.split('\n').filter((line) => line !== '')).toEqual([expect.stringMatching(/ guestflow-provision-web2$/) as string, KEY]);
      const ssh = await files.list('/etc/ssh');
      expect(ssh?.map(({ name }) => name).sort()).toEqual(['ssh_host_ed25519_key', 'ssh_host_ed25519_key.pub', 'sshd_config']);
      expect(await read('/etc/ssh/ssh_host_ed25519_key')).toMatch(/^-----BEGIN OPENSSH PRIVATE KEY-----/);
      expect(await read('/srv/data')).toBe('kept');
      const modes = execFileSync('debugfs', ['-R', 'stat /etc/ssh/ssh_host_ed25519_key', image], {
        encoding: 'utf8',
        stdio: ['ignore', 'pipe', 'ignore'],
      });
      expect(modes).toMatch(/Mode: {2}0600[^]*User: {5}0 {3}Group: {5}0/);
    },
  );

  it('is none on a file system with inline_data, which is noticed: orders of such backups are refused before', async () => {
    const directory = scratch();
    await expect(personal(directory, await systemOn(directory, ['-O', 'inline_data']))).rejects.toThrow(/not as it was written/);
  });

  it.each([
    [
      'a directory is a link out of it',
      (tree: string) => {
        execFileSync('rm', ['-r', join(tree, 'etc/ssh')]);
        symlinkSync('../../../../../../etc', join(tree, 'etc/ssh'));
      },
    ],
    ['a file is larger than any', (tree: string) => writeFileSync(join(tree, 'etc/hosts'), 'x'.repeat(300 * 1024))],
    [
      'a file is a directory',
      (tree: string) => {
        execFileSync('rm', [join(tree, 'etc/hostname')]);
        mkdirSync(join(tree, 'etc/hostname'));
      },
    ],
  ])('is refused in words if %s', async (_, more) => {
    const directory = scratch();
    const image = await systemOn(directory, [], more);
    await expect(personal(directory, image)).rejects.toThrow(/could not be changed|is larger than 256 KiB/);
  });
});
