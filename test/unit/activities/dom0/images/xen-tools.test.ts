import { describe, expect, it } from 'vitest';
import { archiveOf, parseDeb822Sources, parseOneLineSources } from '../../../../../activities/dom0/images/apt-sources.ts';
import { acquireOptions, makeGolden } from '../../../../../activities/dom0/images/mmdebstrap.ts';
import { readHostKey, writeRoleInput } from '../../../../../activities/dom0/images/role-input.ts';
import {
  clearHalfMade,
  imageArguments,
  mountsBelow,
  xenCreateImage,
  type ImageSettings,
} from '../../../../../activities/dom0/images/xen-tools.ts';
import { scriptedHost, type ScriptedHost } from '../../../scripted-host.ts';

const KEY = 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ35rv5PUXA7JvnmdviGpq2anW48xUy4Rs1jNFAQrwme';

const settings: ImageSettings = {
  name: 'web1',
  ip: '192.168.77.11',
  netmask: '255.255.255.0',
  gateway: '192.168.77.1',
  broadcast: '192.168.77.255',
  bridge: 'xenbr0',
  mac: '00:16:3E:AA:BB:CC',
  memoryMiB: 512,
  vcpus: 2,
  diskMiB: 8192,
  swapMiB: 512,
  fs: 'ext4',
  fsOptions: 'noatime,errors=remount-ro',
  image: 'sparse',
  dist: 'bookworm',
  goldenTarball: '/var/lib/guestflow/golden/bookworm.tar',
  kernel: '/boot/vmlinuz-6.1',
  initrd: '/boot/initrd.img-6.1',
  serialDevice: 'hvc0',
  directory: '/home/xen/.guestflow/web1',
  roleDir: '/usr/lib/guestflow/role.d',
  roleInput: '/var/lib/guestflow/guests/web1/role',
};

async function withRole(host: ScriptedHost, mode = 0o755): Promise<ScriptedHost> {
  await host.files.makeDirectory(settings.roleDir);
  await host.files.makeDirectory(settings.roleInput);
  await host.files.writeAtomic(`${settings.roleDir}/guestflow`, '#!/bin/sh\n', mode);
  return host;
}

describe('the arguments of xen-create-image', () => {
  it('leave it nothing to decide that could hurt', () => {
    const args = imageArguments(settings);
    expect(args).toEqual(
      expect.arrayContaining([
        '--keep',
        '--noforce',
        '--nohosts',
        '--noaccounts',
        '--noboot',
        '--genpass=0',
        '--nopasswd',
        '--output=/home/xen/.guestflow/web1',
      ]),
    );
    // xen-tools hands these on to its hooks as "0", which they take for yes.
    expect(args.join(' ')).not.toMatch(/--no(dhcp|copyhosts|pygrub)/);
  });

  it("run the operator's role before ours", () => {
    expect(imageArguments({ ...settings, role: 'udev' })).toContain('--role=udev,/usr/lib/guestflow/role.d/guestflow');
  });

  it('use debootstrap when there is no tarball, and no swap when there is none', () => {
    const rest: Record<string, unknown> = { ...settings, swapMiB: 0 };
    delete rest['goldenTarball'];
    const args = imageArguments(rest as unknown as ImageSettings);
    expect(args).toEqual(expect.arrayContaining(['--install-method=debootstrap', '--noswap']));
    expect(args.some((arg) => arg.startsWith('--install-source') || arg.startsWith('--swap'))).toBe(false);
  });

  it.each<[string, Partial<ImageSettings>]>([
    ['name', { name: 'web1;id' }],
    ['mirror', { mirror: 'http://mirror.example/$(id)' }],
    ['role', { role: '../../tmp/evil' }],
    ['role', { role: 'udev,/tmp/evil' }],
    ['dist', { dist: 'bookworm --pygrub' }],
    ['kernel', { kernel: '/boot/vmlinuz `id`' }],
    ['mac', { mac: '00:16:3E:AA:BB:CC,x' }],
    ['bridge', { bridge: 'xenbr0 id' }],
    ['serial device', { serialDevice: 'hvc0;id' }],
    ['ip', { ip: 'auto' }],
    ['image directory', { directory: '/home/xen/../../etc' }],
  ])('never carry what its shell would take apart: %s', (field, change) => {
    expect(() => imageArguments({ ...settings, ...change })).toThrow(
      expect.objectContaining({ type: 'InvalidInput', details: expect.objectContaining({ field }) as unknown }) as Error,
    );
  });
});

describe('making an image', () => {
  it('runs contained, with the mount options in a file', async () => {
    const host = await withRole(scriptedHost(() => ({})));
    await xenCreateImage(host, settings);
    expect(host.calls[0]).toMatch(
      /^setpriv --pdeathsig KILL unshare --mount --pid --fork --kill-child --mount-proc -- xen-create-image --hostname=web1 /,
    );
    expect(String(await host.files.read(`${settings.roleInput}/xen-tools.conf`))).toContain('ext4_options = noatime,errors=remount-ro\n');
  });

  it('refuses mount options that xen-tools would run as a command', async () => {
    const host = await withRole(scriptedHost(() => ({})));
    await expect(xenCreateImage(host, { ...settings, fsOptions: 'noatime`id`' })).rejects.toThrow(/fs options/);
    expect(host.calls).toEqual([]);
  });

  it('does not start without its role: xen-tools itself would go on, and root would have no password', async () => {
    const host = await withRole(
      scriptedHost(() => ({})),
      0o644,
    );
    await expect(xenCreateImage(host, settings)).rejects.toMatchObject({ type: 'HostNotReady' });
    expect(host.calls).toEqual([]);
  });

  it("says what xen-tools' log says when it fails", async () => {
    const host = await withRole(scriptedHost(() => ({ code: 127, stdout: 'Aborting\n' })));
    await host.files.makeDirectory('/var/log/xen-tools');
    await host.files.writeAtomic('/var/log/xen-tools/web1.log', 'tar: /x.tar: Cannot open: No such file or directory\n');
    await expect(xenCreateImage(host, settings)).rejects.toThrow(/web1 failed: tar: .*Cannot open/);
  });

  it('says that the disk is full when it is: a log on that disk ends before the reason', async () => {
    const host = await withRole(scriptedHost(() => ({ code: 127, stdout: 'Aborting\n' })));
    await host.files.makeDirectory('/var/log/xen-tools');
    await host.files.writeAtomic('/var/log/xen-tools/web1.log', 'mke2fs 1.47.0\n./usr/lib/libx.so.0\n./usr/lib/libdrop_amb');
    const full = { ...host, files: { ...host.files, freeBytes: () => Promise.resolve(3 * 2 ** 20) } };
    await expect(xenCreateImage(full, settings)).rejects.toThrow(
      'xen-create-image of web1 failed: the file system of /home/xen/.guestflow/web1 is full, it has 3 MiB free: mke2fs 1.47.0',
    );
  });
});

describe('what is left of an image', () => {
  const mountinfo = [
    '27 1 254:0 / / rw - ext4 /dev/vda rw',
    '90 27 7:0 / /home/xen/.guestflow/web1/tmp/a\\040b rw - ext4 /dev/loop0 rw',
    '91 90 0:4 / /home/xen/.guestflow/web1/tmp/a\\040b/proc rw - proc proc rw',
    '92 27 7:1 / /home/xen/.guestflow/web10/tmp/x rw - ext4 /dev/loop1 rw',
  ].join('\n');

  it('is unmounted from the inside out, and nothing of a guest with a longer name', () => {
    expect(mountsBelow(mountinfo, '/home/xen/.guestflow/web1')).toEqual([
      '/home/xen/.guestflow/web1/tmp/a b/proc',
      '/home/xen/.guestflow/web1/tmp/a b',
    ]);
  });

  it('loses only the loop devices on files of its own directory', async () => {
    const loops = ['web1', 'web10'].map((name, index) => ({
      name: `/dev/loop${String(index)}`,
      'back-file': `/home/xen/.guestflow/${name}/disk.img`,
      autoclear: false,
    }));
    const host = scriptedHost((command) =>
      command.startsWith('losetup --json') ? { stdout: JSON.stringify({ loopdevices: loops }) } : {},
    );
    await clearHalfMade(host, '/home/xen/.guestflow/web1');
    expect(host.calls.slice(1)).toEqual(['losetup --detach /dev/loop0']);
  });
});

describe('the input of the role', () => {
  it('is readable by root only, and what an earlier run left is gone', async () => {
    const host = scriptedHost(() => ({}));
    await writeRoleInput(host, '/state/role', {
      authorizedKeys: [KEY],
      passwordHash: `$6$salt$${'a'.repeat(86)}`,
      timezone: 'UTC',
      dist: 'bookworm',
    });
    expect(await host.files.info('/state/role')).toMatchObject({ mode: 0o700 });
    expect(await host.files.info('/state/role/password-hash')).toMatchObject({ mode: 0o600 });
    await writeRoleInput(host, '/state/role', { authorizedKeys: [KEY], timezone: 'UTC', dist: 'bookworm' });
    expect(await host.files.info('/state/role/password-hash')).toBeUndefined();
  });

  it.each([`command="id" ${KEY}`, `${KEY} a\nssh-ed25519 AAAA`, 'not a key'])(
    'takes no key line with options or a second line: %j',
    async (line) => {
      await expect(
        writeRoleInput(
          scriptedHost(() => ({})),
          '/state/role',
          { authorizedKeys: [line], timezone: 'UTC', dist: 'bookworm' },
        ),
      ).rejects.toThrow(/ssh key/);
    },
  );

  it('never repeats a password hash that it refuses', async () => {
    const refused = writeRoleInput(
      scriptedHost(() => ({})),
      '/state/role',
      { authorizedKeys: [KEY], timezone: 'UTC', dist: 'bookworm', passwordHash: 'clear text' },
    );
    await expect(refused).rejects.toThrow(/no crypt\(5\) hash/);
    await expect(refused).rejects.not.toThrow(/clear text/);
  });

  it('gives the host key back without its comment', async () => {
    const host = scriptedHost(() => ({}));
    await host.files.makeDirectory('/state/role');
    await expect(readHostKey(host, '/state/role')).rejects.toThrow(/has not written/);
    await host.files.writeAtomic('/state/role/ssh_host_ed25519_key.pub', `${KEY} root@web1\n`);
    expect(await readHostKey(host, '/state/role')).toBe(KEY);
  });
});

describe('the golden tarball', () => {
  const deb822 =
    'Types: deb deb-src\n# a comment\nURIs: http://mirror.example/debian\nSuites: bookworm\n bookworm-updates\nComponents: main contrib\n\nTypes: deb\nURIs: http://other.example\nSuites: nodistro\nComponents: main\n';

  it("comes from the dom0's own sources, in both formats, and from no one else's", async () => {
    expect(
      parseOneLineSources(
        'deb [arch=amd64 signed-by=/x] http://m.example/debian bookworm main # note\ndeb-src http://m.example/debian bookworm main\n',
      ),
    ).toEqual([{ uri: 'http://m.example/debian', suite: 'bookworm', components: ['main'] }]);
    expect(parseDeb822Sources(deb822).map((entry) => entry.suite)).toEqual(['bookworm', 'bookworm-updates', 'nodistro']);
    const host = scriptedHost(() => ({}));
    await host.files.makeDirectory('/etc/apt/sources.list.d');
    await host.files.writeAtomic('/etc/apt/sources.list.d/debian.sources', deb822);
    expect(await archiveOf(host, 'bookworm')).toEqual({
      uri: 'http://mirror.example/debian',
      lines: ['deb http://mirror.example/debian bookworm main', 'deb http://mirror.example/debian bookworm-updates main'],
    });
    // The next release is beside it; Ubuntu is its makers'.
    expect((await archiveOf(host, 'trixie')).lines).toEqual([
      'deb http://mirror.example/debian trixie main',
      'deb http://mirror.example/debian trixie-updates main',
    ]);
    const ubuntu = await archiveOf(host, 'noble');
    expect(ubuntu.uri).toBe('http://archive.ubuntu.com/ubuntu');
    expect(ubuntu.lines[1]).toBe(
      'deb [signed-by=/usr/share/keyrings/ubuntu-archive-keyring.gpg] http://archive.ubuntu.com/ubuntu noble-updates main universe',
    );
    expect((await archiveOf(host, 'trixie', 'http://other.example/debian/')).lines).toEqual([
      'deb http://other.example/debian trixie main',
    ]);
    await host.files.writeAtomic('/etc/apt/sources.list.d/debian.sources', '');
    await expect(archiveOf(host, 'trixie')).rejects.toMatchObject({ type: 'HostNotReady' });
  });

  it('takes the way to the mirror from apt, and nothing else', () => {
    const dump =
      'APT::Get::Assume-Yes "true";\nAcquire::http "";\nAcquire::http::Proxy "http://proxy.example:3142";\nAcquire::http::Proxy-Auto-Detect "/bin/x";\nDPkg::Post-Invoke "rm";\n';
    expect(acquireOptions(dump)).toEqual(['Acquire::http::Proxy "http://proxy.example:3142";']);
  });

  it('is made contained, and its scratch directory goes whether it works or not', async () => {
    for (const code of [0, 25]) {
      const host = scriptedHost((command) => ({ code: command.startsWith('setpriv') ? code : 0 }));
      await host.files.makeDirectory('/golden');
      await makeGolden(host, { dist: 'bookworm', path: '/golden/bookworm.part.tar', mirror: 'http://mirror.example/debian' }).catch(
        () => undefined,
      );
      expect(host.calls[1]).toMatch(
        /^setpriv .* -- mmdebstrap .* bookworm \/golden\/bookworm\.part\.tar \/golden\/bookworm\.part\.tar\.work\/sources\.list$/,
      );
      expect(await host.files.list('/golden')).toEqual([]);
    }
  });
});
