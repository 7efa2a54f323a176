/** The role `guestflow`, run on a tree as xen-tools would. */
import { existsSync, lstatSync, mkdirSync, readdirSync, readFileSync, readlinkSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { parse as parseYaml } from 'yaml';
import { readHostKey, writeRoleInput, type RoleInput } from '../../activities/dom0/images/role-input.ts';
import { makeTree } from './guest-tree.ts';
import { host, scratch, titled, whyNotHere } from './machine.ts';

const ROLE = fileURLToPath(new URL('../../deploy/dom0/role.d/guestflow', import.meta.url));
const HOOK = fileURLToPath(new URL('../../deploy/dom0/hooks.d/60-copy-host-files', import.meta.url));
const KEY = 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ35rv5PUXA7JvnmdviGpq2anW48xUy4Rs1jNFAQrwme customer@example';
const HASH = `$6$saltsalt$${'a'.repeat(86)}`;
const why = whyNotHere('ssh-keygen', 'awk', 'stat', 'mktemp');

interface Guest {
  readonly root: string;
  readonly input: string;
  run(env?: Record<string, string>): Promise<string>;
  read(path: string): string;
}

async function newGuest(input: Partial<RoleInput> = {}, files: Record<string, string> = {}): Promise<Guest> {
  const directory = scratch();
  const root = makeTree(join(directory, 'tree'), files);
  const at = join(directory, 'role');
  await writeRoleInput(host, at, { authorizedKeys: [KEY], timezone: 'Europe/Berlin', dist: 'bookworm', ...input });
  return {
    root,
    input: at,
    async run(env = {}) {
      const result = await host.run(ROLE, [root, at], {
        env: {
          hostname: 'web1.example.test',
          ip1: '192.168.77.11',
          serial_device: 'hvc0',
          netmask: '255.255.255.0',
          gateway: '192.168.77.1',
          ...env,
        },
      });
      return result.stdout + result.stderr;
    },
    read: (path) => readFileSync(join(root, path), 'utf8'),
  };
}

function shadowOf(guest: Guest): Record<string, string> {
  return Object.fromEntries(
    guest
      .read('etc/shadow')
      .trim()
      .split('\n')
      .map((line) => line.split(':').slice(0, 2) as [string, string]),
  );
}

describe.skipIf(why !== undefined)(titled('the role', why), () => {
  it('leaves no account with an empty password, and root with none that works', async () => {
    const guest = await newGuest();
    await guest.run();
    expect(shadowOf(guest)).toEqual({ daemon: '*', root: '*', open: '*' });
    expect(guest.read('etc/passwd')).toBe('root:x:0:0:root:/root:/bin/bash\nopen:x:1000:1000::/home/open:/bin/sh\n');
    expect(lstatSync(join(guest.root, 'etc/shadow')).mode & 0o777).toBe(0o640);
    expect(guest.read('etc/ssh/sshd_config.d/00-guestflow.conf')).toMatch(/PermitRootLogin prohibit-password/);
  });

  it("gives root the password's hash that it finds in the input, and says it nowhere", async () => {
    const guest = await newGuest({ passwordHash: HASH });
    expect(await guest.run()).not.toContain(HASH);
    expect(shadowOf(guest)['root']).toBe(HASH);
    expect(guest.read('etc/ssh/sshd_config.d/00-guestflow.conf')).toMatch(/PermitRootLogin yes/);
  });

  it('makes one host key, of this guest alone, and gives its public half back', async () => {
    const [one, other] = [await newGuest(), await newGuest()];
    await one.run();
    await other.run();
    expect(
      readdirSync(join(one.root, 'etc/ssh'))
        .filter((name) => name.startsWith('ssh_host_'))
        .sort(),
    ).toEqual(['ssh_host_ed25519_key', 'ssh_host_ed25519_key.pub']);
    expect(one.read('etc/ssh/ssh_host_ed25519_key.pub')).toContain(await readHostKey(host, one.input));
    expect(await readHostKey(host, one.input)).not.toBe(await readHostKey(host, other.input));
    expect(lstatSync(join(one.root, 'etc/ssh/ssh_host_ed25519_key')).mode & 0o777).toBe(0o600);
  });

  it('gives it a name, an address, a time zone, a console and a clock of its own, and no machine id', async () => {
    const guest = await newGuest();
    await guest.run();
    expect(guest.read('etc/hostname')).toBe('web1\n');
    expect(guest.read('etc/hosts')).toContain('192.168.77.11\tweb1.example.test web1\n');
    expect(guest.read('etc/machine-id')).toBe('');
    expect(readlinkSync(join(guest.root, 'var/lib/dbus/machine-id'))).toBe('/etc/machine-id');
    expect(readlinkSync(join(guest.root, 'etc/localtime'))).toBe('/usr/share/zoneinfo/Europe/Berlin');
    expect(guest.read('etc/timezone')).toBe('Europe/Berlin\n');
    expect(readlinkSync(join(guest.root, 'etc/systemd/network/99-default.link'))).toBe('/dev/null');
    const wants = join(guest.root, 'etc/systemd/system');
    expect(readdirSync(join(wants, 'getty.target.wants'))).toEqual(['serial-getty@hvc0.service']);
    expect(readdirSync(join(wants, 'sysinit.target.wants'))).toEqual(['systemd-timesyncd.service']);
    expect(guest.read('root/.ssh/authorized_keys')).toBe(`${KEY}\n`);
    expect(lstatSync(join(guest.root, 'root/.ssh')).mode & 0o777).toBe(0o700);
  });

  it('gives it the IPv6 address that it finds in the input, static, and none otherwise; run again, once', async () => {
    const guest = await newGuest({ ipv6: { address: '2001:db8:0:1:192:168:77:11', gateway: '2001:db8:0:1::1' } });
    await guest.run();
    await guest.run();
    const interfaces = guest.read('etc/network/interfaces');
    expect(interfaces.match(/^iface eth0 inet6 static$/gm)).toHaveLength(1);
    expect(interfaces).toMatch(/^iface eth0 inet static$/m);
    expect(interfaces).toMatch(/ address 2001:db8:0:1:192:168:77:11\/64\n gateway 2001:db8:0:1::1\n accept_ra 0\n/);
    expect(guest.read('etc/hosts')).toContain('2001:db8:0:1:192:168:77:11\tweb1.example.test web1\n');
    const plain = await newGuest();
    await plain.run();
    expect(plain.read('etc/network/interfaces')).not.toContain('inet6');
  });

  describe('of an Ubuntu, where xen-tools has written netplan,', () => {
    /** The words of xen-tools 4.9's hook. */
    const netplan = (address = '192.168.77.11/24'): Record<string, string> => ({
      'etc/netplan/01-netcfg.yaml': `# Arno: Set static IP for VM interface eth0\nnetwork:\n  version: 2\n  renderer: networkd\n  ethernets:\n    eth0:\n      addresses: [${address}]\n      gateway4: 192.168.77.1\n      nameservers:\n          addresses: []\n`,
      'etc/netplan/50-cloud-init.yaml': 'network: {version: 2, ethernets: {eth0: {dhcp4: true}}}\n',
    });
    const ubuntu = { dist: 'noble', aptSources: ['deb http://mirror.example.org/ubuntu noble main universe'] };

    it('gives eth0 its addresses there, readable by root alone, and leaves nothing to cloud-init; run again, once', async () => {
      const guest = await newGuest({ ...ubuntu, ipv6: { address: '2001:db8:0:1:192:168:77:11', gateway: '2001:db8:0:1::1' } }, netplan());
      await guest.run({ nameserver: '192.0.2.53 2001:db8::53' });
      await guest.run({ nameserver: '192.0.2.53 2001:db8::53' });
      expect(readdirSync(join(guest.root, 'etc/netplan'))).toEqual(['01-netcfg.yaml']);
      expect(lstatSync(join(guest.root, 'etc/netplan/01-netcfg.yaml')).mode & 0o777).toBe(0o600);
      expect(parseYaml(guest.read('etc/netplan/01-netcfg.yaml'))).toEqual({
        network: {
          version: 2,
          renderer: 'networkd',
          ethernets: {
            eth0: {
              dhcp4: false,
              dhcp6: false,
              'accept-ra': false,
              addresses: ['192.168.77.11/24', '2001:db8:0:1:192:168:77:11/64'],
              routes: [
                { to: 'default', via: '192.168.77.1' },
                { to: 'default', via: '2001:db8:0:1::1' },
              ],
              nameservers: { addresses: ['192.0.2.53', '2001:db8::53'] },
            },
          },
        },
      });
      expect(guest.read('etc/cloud/cloud-init.disabled')).toBe('');
      expect(guest.read('etc/apt/sources.list')).toBe('deb http://mirror.example.org/ubuntu noble main universe\n');
      // What another distribution's hook would have written is as it was.
      expect(guest.read('etc/network/interfaces')).not.toContain('inet6');
    });

    it.each([
      ['255.255.255.254', '31'],
      ['255.255.252.0', '22'],
      ['255.0.0.0', '8'],
    ])('takes netmask %s as /%s', async (netmask, prefix) => {
      const guest = await newGuest(ubuntu, netplan(`192.168.77.11/${prefix}`));
      await guest.run({ netmask });
      expect(guest.read('etc/netplan/01-netcfg.yaml')).toContain(`- "192.168.77.11/${prefix}"\n`);
      expect(guest.read('etc/netplan/01-netcfg.yaml')).not.toContain('nameservers');
    });

    it('refuses one whose network xen-tools has set to DHCP, or to another address', async () => {
      const files = { 'etc/netplan/01-netcfg.yaml': 'network:\n  ethernets:\n    eth0:\n      dhcp4: true\n' };
      await expect((await newGuest(ubuntu, files)).run()).rejects.toThrow(/static address 192\.168\.77\.11/);
      await expect((await newGuest(ubuntu, netplan('192.168.77.111/24'))).run()).rejects.toThrow(/static address 192\.168\.77\.11/);
    });

    it.each([{ netmask: '255.255.255.0 x' }, { gateway: '$(id)' }, { nameserver: '"; reboot' }])(
      'refuses settings that are none: %j',
      async (env) => {
        await expect((await newGuest(ubuntu, netplan())).run(env)).rejects.toThrow(/is no|holds no/);
      },
    );

    it.skipIf(whyNotHere('netplan') !== undefined)('is taken by the real netplan', async () => {
      const guest = await newGuest({ ...ubuntu, ipv6: { address: '2001:db8:0:1:192:168:77:11', gateway: '2001:db8:0:1::1' } }, netplan());
      await guest.run({ nameserver: '192.0.2.53' });
      await host.run('netplan', ['generate', '--root-dir', guest.root]);
      const unit = guest.read('run/systemd/network/10-netplan-eth0.network');
      for (const line of ['Address=192.168.77.11/24', 'Address=2001:db8:0:1:192:168:77:11/64', 'IPv6AcceptRA=no', 'DNS=192.0.2.53'])
        expect(unit.split('\n')).toContain(line);
      expect(unit).toMatch(/\[Route\]\n(?:Destination=0\.0\.0\.0\/0\n)?Gateway=192\.168\.77\.1\n/);
      expect(unit).toMatch(/Gateway=2001:db8:0:1::1\n/);
    });
  });

  it('lets vcpus that are added while it runs be turned on', async () => {
    const guest = await newGuest();
    await guest.run();
    expect(guest.read('etc/udev/rules.d/60-guestflow-vcpus.rules')).toMatch(/SUBSYSTEM=="cpu".*ATTR\{online\}="1"/);
  });

  it('names a guest without a domain once in its hosts file', async () => {
    const guest = await newGuest();
    await guest.run({ hostname: 'web1' });
    expect(guest.read('etc/hosts')).toContain('192.168.77.11\tweb1\n');
  });

  it('cuts the short name from a host name as long as DNS takes it', async () => {
    const hostname = `${'a'.repeat(63)}.${'b'.repeat(63)}.${'c'.repeat(63)}.${'d'.repeat(61)}`;
    expect(hostname).toHaveLength(253);
    const guest = await newGuest({ hostname });
    await guest.run();
    expect(guest.read('etc/hostname')).toBe(`${'a'.repeat(63)}\n`);
    expect(guest.read('etc/hosts')).toContain(`192.168.77.11\t${hostname} ${'a'.repeat(63)}\n`);
  });

  it('ends the same when it runs again', async () => {
    const guest = await newGuest();
    const tree = async (): Promise<string> =>
      (await host.run('find', [guest.root, '-printf', '%P %y %m %l\n'])).stdout.split('\n').sort().join('\n');
    await guest.run();
    const once = await tree();
    await guest.run();
    expect(await tree()).toBe(once);
    expect(guest.read('etc/ssh/ssh_host_ed25519_key.pub')).toContain(await readHostKey(host, guest.input));
  });

  it.each(['root/.ssh', 'etc/ssh', 'etc/systemd/network'])('follows no link out of the image: %s', async (folder) => {
    const guest = await newGuest();
    const outside = scratch();
    rmSync(join(guest.root, folder), { recursive: true, force: true });
    symlinkSync(outside, join(guest.root, folder));
    await expect(guest.run()).rejects.toThrow(/is a link where a directory is expected/);
    expect(readdirSync(outside)).toEqual([]);
  });

  it("replaces a link where it writes a file, and leaves the link's target alone", async () => {
    const guest = await newGuest();
    const target = join(scratch(), 'hosts-of-the-dom0');
    writeFileSync(target, 'untouched');
    for (const file of ['etc/hosts', 'etc/hostname', 'etc/localtime', 'root/.ssh/authorized_keys']) {
      mkdirSync(join(guest.root, 'root/.ssh'), { recursive: true });
      rmSync(join(guest.root, file), { force: true });
      symlinkSync(target, join(guest.root, file));
    }
    await guest.run();
    expect(readFileSync(target, 'utf8')).toBe('untouched');
    expect(lstatSync(join(guest.root, 'etc/hosts')).isFile()).toBe(true);
  });

  it('says that all is well only when all is', async () => {
    const guest = await newGuest();
    rmSync(join(guest.root, 'usr/share/zoneinfo'), { recursive: true });
    await expect(guest.run()).rejects.toThrow(/time zone Europe\/Berlin/);
    expect(existsSync(join(guest.input, 'ssh_host_ed25519_key.pub'))).toBe(false);
  });

  it('refuses an image whose network xen-tools has set to DHCP', async () => {
    const guest = await newGuest();
    writeFileSync(join(guest.root, 'etc/network/interfaces'), 'auto eth0\niface eth0 inet dhcp\n');
    await expect(guest.run()).rejects.toThrow(/static address 192\.168\.77\.11/);
  });

  it.each([{ hostname: 'web1;id' }, { hostname: 'web1\nx' }, { ip1: '$(id)' }, { serial_device: '../hvc0' }])(
    'refuses settings that are none: %j',
    async (env) => {
      const guest = await newGuest();
      await expect(guest.run(env)).rejects.toThrow(/is no /);
      expect(guest.read('etc/hostname')).toBe('of-another-machine\n');
    },
  );

  it('refuses an input directory that others can read', async () => {
    const guest = await newGuest();
    await host.run('chmod', ['755', guest.input]);
    await expect(guest.run()).rejects.toThrow(/mode 0700/);
  });
});

describe.skipIf(why !== undefined)(titled("the hook in place of xen-tools' own", why), () => {
  it("gives the image the dom0's time zone, and not the dom0 another one", async () => {
    const root = makeTree(scratch());
    const ofTheDom0 = join(scratch(), 'UTC');
    writeFileSync(ofTheDom0, 'untouched');
    symlinkSync(ofTheDom0, join(root, 'etc/localtime'));
    await host.run(HOOK, [root]);
    expect(readFileSync(ofTheDom0, 'utf8')).toBe('untouched');
    expect(readFileSync(join(root, 'etc/localtime')).equals(readFileSync('/etc/localtime'))).toBe(true);
  });
});
