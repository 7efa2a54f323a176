/**
 * A bare Debian in QEMU, as `dom0 prepare` finds it: a kernel, systemd, ssh and GRUB on a partitioned disk; no Xen, no LVM, no bridge.
 * The Debian packages that a dom0 needs lie in /srv/apt on it, since it has no network but ssh's.
 */
import { chmod, copyFile, cp, mkdir, mkdtemp, open, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import type { Runner } from '../system/run.ts';
import { isServerAlive, startServer, stopServer, type ServerProcess } from '../system/run-server.ts';
import { acquireOptions, proxyEnvironment } from './apt.ts';
import { disk, quote, TCG_CPU } from './machine.ts';
import { awaitSsh } from './ssh.ts';
import { freePort } from '../system/ports.ts';

/** The releases that it is made of, with who configures its network. */
export const BARE_RELEASES = { bookworm: 'ifupdown', trixie: 'networkd' } as const;
export type BareRelease = keyof typeof BARE_RELEASES;

/** Its address in QEMU's user network, IPv4 and IPv6. */
export const BARE_ADDRESSES = { ip: '10.0.2.15', gateway: '10.0.2.2', ip6: 'fec0::15' } as const;

const PACKAGES = ['usr-is-merged', 'systemd-sysv', 'udev', 'kmod', 'procps', 'iproute2', 'iputils-ping', 'openssh-server', 'zstd'];
const BOOT_PACKAGES = ['linux-image-amd64', 'initramfs-tools', 'grub-pc', 'grub-pc-bin', 'grub2-common'];
const KEYRING = '/usr/share/keyrings/debian-archive-keyring.gpg';
const TREE_LIMIT_MS = 30 * 60_000;
const BOOT_LIMIT_MS = 10 * 60_000;
const MEMORY_MIB = 3072;
const SECTOR = 512;
const FIRST_SECTOR = 2048;
const DISK_BYTES = 6 * 1024 ** 3;

/** What a bare Debian is made of. */
export interface BareContext {
  readonly runner: Runner;
  readonly release: BareRelease;
  /** Where apt gets it: `http://…/debian`. */
  readonly mirror: string;
  /** Names of the packages that the host is to install later, with what they depend on. */
  readonly later: readonly string[];
  /** Package files that the release lacks. */
  readonly files: readonly string[];
  readonly signal?: AbortSignal;
}

/** Makes the tree in the folder `target`, which must not exist. */
export async function makeBareTree(context: BareContext, target: string): Promise<void> {
  const { runner, release, mirror, later, files } = context;
  const { stdout } = await runner.run('apt-config', ['dump']);
  const network = release === 'bookworm' ? ['ifupdown'] : [];
  const hook = `${target}.hook`;
  await writeFile(hook, downloadHook(later, files), { mode: 0o755 });
  const options = [...acquireOptions(stdout), 'APT::Install-Recommends "false";', 'Acquire::Languages "none";'];
  try {
    await runner.run(
      'unshare',
      [
        ...['--mount', '--pid', '--fork', '--kill-child', '--propagation', 'private', 'mmdebstrap', '--mode=root', '--variant=minbase'],
        `--include=${[...PACKAGES, ...BOOT_PACKAGES, ...network].join(',')}`,
        ...options.map((option) => `--aptopt=${option.replace(/;$/, '')}`),
        ...['--dpkgopt=force-unsafe-io', '--dpkgopt=path-exclude=/usr/share/doc/*', '--dpkgopt=path-exclude=/usr/share/locale/*'],
        `--customize-hook="${hook}" "$1"`,
        ...['--skip=cleanup/apt', release, target, `deb [signed-by=${KEYRING}] ${mirror} ${release} main`],
      ],
      { timeoutMs: TREE_LIMIT_MS, env: { ...proxyEnvironment(), DEBIAN_FRONTEND: 'noninteractive' }, label: 'mmdebstrap' },
    );
    await runner.run('sh', ['-c', 'dpkg-scanpackages --multiversion . > Packages'], { cwd: path.join(target, 'srv/apt') });
  } finally {
    await rm(hook, { force: true });
  }
}

/** Fetches what the host is to install later, without installing it. */
function downloadHook(later: readonly string[], files: readonly string[]): string {
  const names = files.map((file) => `/srv/apt/${path.basename(file)}`);
  return `#!/bin/sh
set -e
rm -f "$1"/var/cache/apt/archives/*.deb "$1/etc/resolv.conf"
mkdir -p "$1/srv/apt"
${files.map((file) => `cp -- "${file}" "$1/srv/apt/"`).join('\n')}
cp /etc/resolv.conf "$1/etc/resolv.conf"
chroot "$1" apt-get install --download-only --yes --no-install-recommends ${[...later, ...names].join(' ')}
mv "$1"/var/cache/apt/archives/*.deb "$1/srv/apt/"
rm -rf "$1/etc/resolv.conf" "$1"/var/lib/apt/lists/*
`;
}

const NETWORKS: Readonly<Record<BareRelease, readonly (readonly [file: string, text: string])[]>> = {
  bookworm: [
    ['etc/network/interfaces', 'source /etc/network/interfaces.d/*\n\nauto lo\niface lo inet loopback\n'],
    [
      'etc/network/interfaces.d/eth0',
      `# the uplink\nallow-hotplug eth0\niface eth0 inet static\n    address ${BARE_ADDRESSES.ip}/24\n    gateway ${BARE_ADDRESSES.gateway}\n    mtu 1500\niface eth0 inet6 static\n    address ${BARE_ADDRESSES.ip6}/64\n`,
    ],
  ],
  trixie: [
    [
      'etc/systemd/network/50-eth0.network',
      `[Match]\nName=eth0\n\n[Network]\nAddress=${BARE_ADDRESSES.ip}/24\nAddress=${BARE_ADDRESSES.ip6}/64\nGateway=${BARE_ADDRESSES.gateway}\nDNS=10.0.2.3\n`,
    ],
  ],
};

/** Xen and the kernel as the lab boots them under emulation, by the host's own boot loader. */
const GRUB_DEFAULTS = `GRUB_DEFAULT=0
GRUB_TIMEOUT=1
GRUB_DISTRIBUTOR=Debian
GRUB_TERMINAL=serial
GRUB_SERIAL_COMMAND="serial --unit=0 --speed=115200"
GRUB_CMDLINE_LINUX="net.ifnames=0 mitigations=off console=ttyS0 console=hvc0"
GRUB_CMDLINE_XEN="console=com1 com1=115200,8n1 spec-ctrl=no xpti=no bootscrub=0"
GRUB_DISABLE_LINUX_UUID=true
GRUB_DISABLE_OS_PROBER=true
`;

async function put(tree: string, name: string, text: string | Uint8Array, mode = 0o644): Promise<void> {
  await mkdir(path.dirname(path.join(tree, name)), { recursive: true });
  await rm(path.join(tree, name), { force: true });
  await writeFile(path.join(tree, name), text, { mode });
  await chmod(path.join(tree, name), mode);
}

/** A bare host: its disk, the way in, and its host key. */
export interface BareHost {
  readonly folder: string;
  readonly sshConfig: string;
  readonly sshPort: number;
}

async function setUpKeys(runner: Runner, tree: string, folder: string): Promise<void> {
  for (const [file, comment] of [
    ['id_ed25519', 'guestflow-lab'],
    ['host_ed25519', 'bare'],
  ] as const) {
    await rm(path.join(folder, file), { force: true });
    await runner.run('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-C', comment, '-f', path.join(folder, file)]);
  }
  for (const name of await readdir(path.join(tree, 'etc/ssh')))
    if (name.startsWith('ssh_host_')) await rm(path.join(tree, 'etc/ssh', name));
  const hostKey = await readFile(path.join(folder, 'host_ed25519.pub'), 'utf8');
  await put(tree, 'etc/ssh/ssh_host_ed25519_key', await readFile(path.join(folder, 'host_ed25519')), 0o600);
  await put(tree, 'etc/ssh/ssh_host_ed25519_key.pub', hostKey);
  await put(tree, 'root/.ssh/authorized_keys', await readFile(path.join(folder, 'id_ed25519.pub')), 0o600);
  await writeFile(path.join(folder, 'known_hosts'), `bare ${hostKey.split(' ').slice(0, 2).join(' ')}\n`);
}

async function setUpTree(runner: Runner, release: BareRelease, tree: string, folder: string): Promise<void> {
  const kernel = (await readdir(path.join(tree, 'boot'))).find((name) => name.startsWith('vmlinuz-'))?.slice('vmlinuz-'.length) ?? '';
  await put(tree, 'etc/fstab', '/dev/vda1 / ext4 errors=remount-ro 0 1\n');
  await put(tree, 'etc/hostname', 'bare\n');
  await put(tree, 'etc/hosts', '127.0.0.1 localhost\n127.0.1.1 bare\n');
  await put(tree, 'etc/apt/sources.list', 'deb [trusted=yes] file:/srv/apt ./\n');
  await put(tree, 'etc/initramfs-tools/conf.d/lab', 'MODULES=dep\n');
  // Making an initial RAM disk anew, which lvm2 and xen-tools ask for, takes twenty minutes under emulation.
  await put(tree, 'etc/initramfs-tools/update-initramfs.conf', 'update_initramfs=no\nbackup_initramfs=no\n');
  await put(tree, 'etc/default/grub', GRUB_DEFAULTS);
  for (const [file, text] of NETWORKS[release]) await put(tree, file, text);
  if (release === 'trixie') await runner.run('chroot', [tree, 'systemctl', 'enable', 'systemd-networkd.service']);
  const words = `root=/dev/vda1 ro net.ifnames=0 mitigations=off console=ttyS0`;
  const entry = `menuentry 'Debian GNU/Linux' {\n  linux /boot/vmlinuz-${kernel} ${words}\n  initrd /boot/initrd.img-${kernel}\n}`;
  await put(
    tree,
    'boot/grub/grub.cfg',
    `set default="0"\nset timeout=0\nserial --unit=0 --speed=115200\nterminal_input serial\nterminal_output serial\n${entry}\n`,
  );
  await cp(path.join(tree, 'usr/lib/grub/i386-pc'), path.join(tree, 'boot/grub/i386-pc'), { recursive: true });
  await setUpKeys(runner, tree, folder);
}

/** A disk with a DOS partition table, GRUB before its one partition, and the tree in that. No loop device, no mount. */
async function makeBareDisk(runner: Runner, tree: string, target: string): Promise<void> {
  // As grub-install has it. All others are loaded from the disk: `normal` brings gzio, which Xen's file needs, only when it can find it.
  const modules = ['biosdisk', 'part_msdos', 'ext2'];
  await runner.run('chroot', [tree, 'grub-mkimage', '-O', 'i386-pc', '-o', '/core.img', '-p', '(hd0,msdos1)/boot/grub', ...modules]);
  const core = await readFile(path.join(tree, 'core.img'));
  await rm(path.join(tree, 'core.img'));
  const boot = await readFile(path.join(tree, 'usr/lib/grub/i386-pc/boot.img'));
  const entry = Buffer.alloc(16);
  entry[0] = 0x80;
  entry[4] = 0x83;
  entry.writeUInt32LE(FIRST_SECTOR, 8);
  entry.writeUInt32LE(DISK_BYTES / SECTOR - FIRST_SECTOR, 12);
  const file = await open(target, 'wx', 0o600);
  await file.truncate(DISK_BYTES);
  await file.write(
    Buffer.concat([boot.subarray(0, 440), Buffer.from('bare\0\0'), entry, Buffer.alloc(48), Buffer.from([0x55, 0xaa])]),
    0,
    SECTOR,
    0,
  );
  await file.write(core, 0, core.length, SECTOR);
  await file.close();
  // GRUB 2.06 does not read file systems with these two features.
  const features = ['-O', '^metadata_csum_seed,^orphan_file'];
  const size = `${String((DISK_BYTES - FIRST_SECTOR * SECTOR) / 1024)}k`;
  const args = ['-q', '-F', '-t', 'ext4', ...features, '-E', `offset=${String(FIRST_SECTOR * SECTOR)}`, '-d', tree, target, size];
  await runner.run('mke2fs', args, { timeoutMs: TREE_LIMIT_MS });
}

/** Makes disks, keys and ssh configuration of a bare host from its tree, which is changed. */
export async function makeBareHost(runner: Runner, release: BareRelease, tree: string): Promise<BareHost> {
  const folder = await mkdtemp(path.join(os.tmpdir(), 'gf-bare-'));
  await setUpTree(runner, release, tree, folder);
  await makeBareDisk(runner, tree, path.join(folder, 'root.raw'));
  for (const name of ['volumes.raw', 'used.raw']) {
    const file = await open(path.join(folder, name), 'wx', 0o600);
    await file.truncate(DISK_BYTES);
    await file.close();
  }
  // A disk that holds something: it must be refused.
  await runner.run('mke2fs', ['-q', '-F', '-t', 'ext4', path.join(folder, 'used.raw')]);
  const sshPort = await freePort();
  const sshConfig = path.join(folder, 'ssh_config');
  await writeFile(
    sshConfig,
    [
      'Host bare',
      '  HostName 127.0.0.1',
      `  Port ${String(sshPort)}`,
      '  User root',
      '  HostKeyAlias bare',
      `  IdentityFile ${path.join(folder, 'id_ed25519')}`,
      '  IdentitiesOnly yes',
      `  UserKnownHostsFile ${path.join(folder, 'known_hosts')}`,
      '',
    ].join('\n'),
  );
  return { folder, sshConfig, sshPort };
}

/** Boots it by its own boot loader; returns when its sshd greets. */
export async function bootBareHost({ folder, sshPort }: BareHost): Promise<ServerProcess> {
  const file = (name: string): string => path.join(folder, name);
  const machine = await startServer({
    command: 'qemu-system-x86_64',
    args: [
      ...['-name', 'guestflow-bare', '-machine', 'pc', '-nodefaults', '-display', 'none', '-accel', 'tcg,thread=multi,tb-size=1024'],
      ...['-cpu', TCG_CPU, '-smp', '2', '-m', String(MEMORY_MIB), '-serial', `file:${quote(file('serial.log'))}`],
      ...['-qmp', `unix:${quote(file('qmp'))},server=on,wait=off`, '-pidfile', file('pid'), '-boot', 'c'],
      ...disk('root', file('root.raw'), 'raw'),
      ...disk('volumes', file('volumes.raw'), 'raw'),
      ...disk('used', file('used.raw'), 'raw'),
      ...['-netdev', `user,id=n0,restrict=on,hostfwd=tcp:127.0.0.1:${String(sshPort)}-${BARE_ADDRESSES.ip}:22`],
      ...['-device', 'virtio-net-pci,netdev=n0,romfile=,id=nic', '-device', 'virtio-rng-pci'],
    ],
    logFile: file('qemu.log'),
    detached: true,
  });
  try {
    await awaitSsh(sshPort, { timeoutMs: BOOT_LIMIT_MS, isAlive: () => isServerAlive(machine) });
  } catch (error) {
    await copyFile(file('serial.log'), file('serial.failed.log')).catch(() => undefined);
    await stopServer(machine);
    throw error;
  }
  return machine;
}
