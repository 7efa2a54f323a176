/** xen-create-image, the real one: from a small hand-made root tarball, or (GUESTFLOW_HOST_SLOW=1) from a golden one made by mmdebstrap. */
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it, onTestFinished } from 'vitest';
import { until } from '../../system/until.ts';
import { listLoopDevices } from '../../activities/dom0/tools/loop.ts';
import { readHostKey, writeRoleInput } from '../../activities/dom0/images/role-input.ts';
import { clearHalfMade, makeGolden, mountsBelow, xenCreateImage, type ImageSettings } from '../../activities/dom0/images/xen-tools.ts';
import { makeTarball, makeTree } from './guest-tree.ts';
import { prepared, preparedHost } from './prepared.ts';
import { host, imageFile, loopOn, mounted, scratch, titled, whyNotHere } from './machine.ts';

const ROLES = fileURLToPath(new URL('../../deploy/dom0/role.d', import.meta.url));
const KEY = 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ35rv5PUXA7JvnmdviGpq2anW48xUy4Rs1jNFAQrwme';
const why = whyNotHere('xen-create-image', 'unshare', 'setpriv', 'mkfs.ext4', 'mkswap', 'tar', 'ssh-keygen');

async function newGuest(
  change: Partial<ImageSettings> = {},
  files: Readonly<Record<string, string>> = {},
): Promise<{ settings: ImageSettings; directory: string; before: readonly [string, ...string[]] }> {
  const directory = scratch();
  const name = `guestflow-test-${String(process.pid)}`;
  onTestFinished(() => {
    for (const log of readdirSync('/var/log/xen-tools')) if (log.startsWith(`${name}.`)) rmSync(join('/var/log/xen-tools', log));
  });
  for (const file of ['kernel', 'initrd']) writeFileSync(join(directory, file), '');
  await host.files.makeDirectory(join(directory, 'modules/6.1.0-test'));
  await writeRoleInput(host, join(directory, 'role'), {
    authorizedKeys: [KEY],
    timezone: 'Europe/Berlin',
    dist: change.dist ?? 'bookworm',
  });
  const settings: ImageSettings = {
    name,
    ip: '192.168.77.11',
    netmask: '255.255.255.0',
    gateway: '192.168.77.1',
    broadcast: '192.168.77.255',
    bridge: 'xenbr0',
    mac: '00:16:3E:AA:BB:CC',
    memoryMiB: 512,
    vcpus: 2,
    diskMiB: 64,
    swapMiB: 8,
    fs: 'ext4',
    fsOptions: 'noatime,errors=remount-ro',
    image: 'sparse',
    dist: 'bookworm',
    mirror: 'http://127.0.0.1:9/debian',
    goldenTarball: join(directory, 'tree.tar'),
    kernel: join(directory, 'kernel'),
    initrd: join(directory, 'initrd'),
    modules: join(directory, 'modules/6.1.0-test'),
    serialDevice: 'hvc0',
    directory: join(directory, 'unfinished'),
    roleDir: ROLES,
    roleInput: join(directory, 'role'),
    ...change,
  };
  if (change.goldenTarball === undefined) await makeTarball(makeTree(join(directory, 'tree'), files), join(directory, 'tree.tar'));
  return { settings, directory, before: prepared(directory) };
}

/** What of a directory is still mounted, attached to a loop device, or used by a process. */
async function leftOf(directory: string): Promise<string[]> {
  const mounts = mountsBelow(readFileSync('/proc/self/mountinfo', 'utf8'), directory);
  const loops = (await listLoopDevices(host)).filter((loop) => loop.file.startsWith(directory)).map((loop) => loop.device);
  const processes = readdirSync('/proc').filter((pid) => /^\d+$/.test(pid) && readCommand(pid).includes(directory));
  return [...mounts, ...loops, ...processes.map((pid) => readCommand(pid))];
}

function readCommand(pid: string): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ');
  } catch {
    return '';
  }
}

/** The kernel takes a moment to write back and detach what it unmounts. */
async function nothingLeftOf(directory: string): Promise<void> {
  await until(async () => (await leftOf(directory)).length === 0, { everyMs: 100, limitMs: 10_000 });
  expect(await leftOf(directory)).toEqual([]);
}

/** A role that lets the test know that it runs, and then does not end by itself. */
function endlessRole(directory: string): string {
  writeFileSync(join(directory, 'guestflow'), '#!/bin/sh\ntouch "$2/started"\nexec sleep 600\n', { mode: 0o755 });
  return directory;
}

async function appears(path: string): Promise<void> {
  if (!(await until(() => existsSync(path), { everyMs: 100, limitMs: 60_000 }))) throw new Error(`${path} did not appear within a minute`);
}

describe.skipIf(why !== undefined)(titled('xen-create-image', why), () => {
  it('makes an image, a swap and a cfg as they were ordered, says no password, and leaves nothing mounted', async () => {
    const { settings, directory, before } = await newGuest();
    const said: string[] = [];
    await xenCreateImage(preparedHost(before), settings, { onOutput: (line) => said.push(line) });
    await nothingLeftOf(directory);
    expect(said).toContain('Running hooks');
    expect(said.filter((line) => line.startsWith('Root Password'))).toEqual(['Root Password   :  N/A']);

    const images = join(settings.directory, 'domains', settings.name);
    expect(await host.files.info(join(images, 'disk.img'))).toMatchObject({ bytes: 64 * 2 ** 20, mode: 0o600 });
    expect(await host.files.info(join(images, 'swap.img'))).toMatchObject({ bytes: 8 * 2 ** 20, mode: 0o600 });
    const cfg = readFileSync(join(settings.directory, `${settings.name}.cfg`), 'utf8');
    expect(cfg).toMatch(/^memory +?= '512'$/m);
    expect(cfg).toMatch(/^vcpus +?= '2'$/m);
    expect(cfg).toContain(`'file:${join(images, 'disk.img')},xvda2,w'`);
    expect(cfg).toContain("'ip=192.168.77.11 ,mac=00:16:3E:AA:BB:CC,bridge=xenbr0'");
    expect(cfg).not.toMatch(/bootloader/);

    const image = await mounted(await loopOn(join(images, 'disk.img')), join(directory, 'mount'));
    const read = (path: string): string => readFileSync(join(directory, 'mount', path), 'utf8');
    expect(read('etc/fstab')).toContain('/dev/xvda2 / ext4 noatime,errors=remount-ro 0 1');
    expect(read('etc/network/interfaces')).toMatch(/iface eth0 inet static\n address 192\.168\.77\.11\n/);
    expect(read('etc/shadow')).toMatch(/^root:\*:/m);
    expect(read('etc/ssh/ssh_host_ed25519_key.pub')).toContain(await readHostKey(host, settings.roleInput));
    expect(read('root/.ssh/authorized_keys')).toBe(`${KEY}\n`);
    await image.unmount();
  });

  // The trees look like the distributions; xen-tools' hooks and the role are the real ones.
  it.each([
    ['jammy', 'Europe/Berlin', '255.255.255.0', 24],
    ['noble', 'US/Eastern', '255.255.252.0', 22],
  ])('makes an image of %s: netplan with time zone %s and netmask %s', async (dist, timezone, netmask, prefix) => {
    const input = { authorizedKeys: [KEY], timezone, dist, aptSources: [`deb http://127.0.0.1:9/ubuntu ${dist} main universe`] };
    const { settings, directory, before } = await newGuest(
      { dist, netmask, fs: 'ext3', nameserver: '192.0.2.53', mirror: 'http://127.0.0.1:9/ubuntu' },
      { 'etc/os-release': 'ID=ubuntu\n', 'usr/share/zoneinfo/US/Eastern': 'TZif', 'etc/netplan/50-cloud-init.yaml': 'network: {}\n' },
    );
    await writeRoleInput(host, settings.roleInput, input);
    await xenCreateImage(preparedHost(before), settings);
    await nothingLeftOf(directory);
    const image = await mounted(await loopOn(join(settings.directory, 'domains', settings.name, 'disk.img')), join(directory, 'mount'));
    const read = (path: string): string => readFileSync(join(directory, 'mount', path), 'utf8');
    const netplan = read('etc/netplan/01-netcfg.yaml');
    for (const line of [`- "192.168.77.11/${String(prefix)}"`, 'via: "192.168.77.1"', '- "192.0.2.53"']) expect(netplan).toContain(line);
    expect(netplan).not.toContain('gateway4');
    expect(existsSync(join(directory, 'mount/etc/netplan/50-cloud-init.yaml'))).toBe(false);
    expect(existsSync(join(directory, 'mount/etc/cloud/cloud-init.disabled'))).toBe(true);
    expect(read('etc/apt/sources.list')).toBe(`deb http://127.0.0.1:9/ubuntu ${dist} main universe\n`);
    expect(read('etc/timezone')).toBe(`${timezone}\n`);
    await image.unmount();
  });

  it('makes one in a network of two addresses (RFC 3021), with no broadcast address of its own', async () => {
    const { settings, directory, before } = await newGuest({
      ip: '192.168.77.11',
      netmask: '255.255.255.254',
      gateway: '192.168.77.10',
      broadcast: '255.255.255.255',
    });
    await xenCreateImage(preparedHost(before), settings);
    const image = await mounted(await loopOn(join(settings.directory, 'domains', settings.name, 'disk.img')), join(directory, 'mount'));
    const interfaces = readFileSync(join(directory, 'mount/etc/network/interfaces'), 'utf8');
    expect(interfaces).toMatch(
      / address 192\.168\.77\.11\n gateway 192\.168\.77\.10\n netmask 255\.255\.255\.254\n broadcast 255\.255\.255\.255\n/,
    );
    await image.unmount();
  });

  it('that fails says why, and removes nothing of another guest of that name', async () => {
    const { settings, directory, before } = await newGuest();
    const cfg = `/etc/xen/${settings.name}.cfg`;
    await host.files.makeDirectory('/etc/xen');
    writeFileSync(cfg, "somebody else's\n");
    onTestFinished(() => {
      rmSync(cfg, { force: true });
    });
    const roleDir = scratch();
    writeFileSync(join(roleDir, 'guestflow'), '#!/bin/sh\necho the reason >&2\nexit 1\n', { mode: 0o755 });
    await expect(xenCreateImage(preparedHost(before), { ...settings, roleDir })).rejects.toMatchObject({
      type: 'ToolFailed',
      message: expect.stringMatching(/the reason$/) as string,
    });
    await nothingLeftOf(directory);
    expect(readFileSync(cfg, 'utf8')).toBe("somebody else's\n");
  });

  it('that cannot unpack its tarball says so, and leaves nothing mounted', async () => {
    // Here xen-tools itself dies before it cleans up.
    const { settings, directory, before } = await newGuest();
    writeFileSync(join(directory, 'tree.tar'), 'this is no tarball');
    await expect(xenCreateImage(preparedHost(before), settings)).rejects.toThrow(/does not look like a tar archive/);
    await nothingLeftOf(directory);
  });

  it('that is cancelled leaves nothing mounted, attached or running', async () => {
    const { settings, directory, before } = await newGuest();
    const cancel = new AbortController();
    const made = xenCreateImage(preparedHost(before), { ...settings, roleDir: endlessRole(scratch()) }, { signal: cancel.signal });
    const outcome = expect(made).rejects.toMatchObject({ cancelled: true });
    await appears(join(settings.roleInput, 'started'));
    expect((await leftOf(directory)).length).toBeGreaterThan(0);
    cancel.abort();
    await outcome;
    await nothingLeftOf(directory);
  });

  it('leaves nothing mounted, attached or running either when the worker above it is killed', async () => {
    const { settings, directory, before } = await newGuest();
    let pid = 0;
    const script = fileURLToPath(new URL('./kill-me.ts', import.meta.url));
    const worker = host.run(
      'node',
      ['--import', 'tsx', script, JSON.stringify({ settings: { ...settings, roleDir: endlessRole(scratch()) }, before })],
      {
        cwd: fileURLToPath(new URL('../..', import.meta.url)),
        timeoutMs: 90_000,
        onOutput: (text) => {
          pid ||= Number(text);
        },
      },
    );
    const outcome = expect(worker).rejects.toThrow(/SIGKILL/);
    await appears(join(settings.roleInput, 'started'));
    process.kill(pid, 'SIGKILL');
    await outcome;
    await nothingLeftOf(directory);
  });
});

describe.skipIf(why !== undefined)(titled('what somebody else left half made', why), () => {
  it('is unmounted and detached below our directory only', async () => {
    const [ours, other] = [scratch(), scratch()];
    for (const directory of [ours, other]) {
      await host.run('mkfs.ext4', ['-q', '-F', imageFile(join(directory, 'disk.img'), 16 * 2 ** 20)]);
      await host.files.makeDirectory(join(directory, 'tmp/mount'));
      await host.run('mount', [await loopOn(join(directory, 'disk.img')), join(directory, 'tmp/mount')]);
      await host.files.makeDirectory(join(directory, 'tmp/mount/proc'));
      await host.run('mount', ['--bind', '/proc', join(directory, 'tmp/mount/proc')]);
    }
    await clearHalfMade(host, ours);
    await nothingLeftOf(ours);
    expect(await leftOf(other)).toHaveLength(3);
    await clearHalfMade(host, other);
  });
});

const whyNotSlow =
  why ??
  whyNotHere('mmdebstrap') ??
  (process.env['GUESTFLOW_HOST_SLOW'] === '1' ? undefined : 'GUESTFLOW_HOST_SLOW=1 asks for it: about two minutes');

describe.skipIf(whyNotSlow !== undefined)(titled('a golden tarball', whyNotSlow), () => {
  it.each(['bookworm', 'trixie'])(
    "of %s is made from this machine's own apt sources, and becomes a guest",
    { timeout: 600_000 },
    async (dist) => {
      const path = join(scratch(), `${dist}.part.tar`);
      await makeGolden(host, { dist, path });
      const names = (await host.run('tar', ['-tf', path], { timeoutMs: 120_000 })).stdout.split('\n');
      expect(names).toEqual(expect.arrayContaining(['./usr/sbin/sshd', './usr/lib/systemd/system/systemd-timesyncd.service']));
      expect(names).not.toContain('./etc/localtime');
      const { settings, directory, before } = await newGuest({ goldenTarball: path, diskMiB: 1024, dist });
      // An old name of a time zone, which Debian 13 has in a package of its own.
      await writeRoleInput(host, settings.roleInput, { authorizedKeys: [KEY], timezone: 'US/Eastern', dist });
      await xenCreateImage(preparedHost(before), settings);
      await nothingLeftOf(directory);
      expect(await readHostKey(host, settings.roleInput)).toMatch(/^ssh-ed25519 /);
    },
  );
});
