/** The files of a bare Debian: installed by mmdebstrap, and set up to boot and to be reached by ssh. */
import { chmod, cp, mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import type { Runner } from '../system/run.ts';
import { acquireOptions, proxyEnvironment } from './apt.ts';

/** The releases that it is made of, with who configures its network. */
export const BARE_RELEASES = { bookworm: 'ifupdown', trixie: 'networkd' } as const;
export type BareRelease = keyof typeof BARE_RELEASES;

/** Its address in QEMU's user network, IPv4 and IPv6. */
export const BARE_ADDRESSES = { ip: '10.0.2.15', gateway: '10.0.2.2', ip6: 'fec0::15' } as const;

const PACKAGES = ['usr-is-merged', 'systemd-sysv', 'udev', 'kmod', 'procps', 'iproute2', 'iputils-ping', 'openssh-server', 'zstd'];
const BOOT_PACKAGES = ['linux-image-amd64', 'initramfs-tools', 'grub-pc', 'grub-pc-bin', 'grub2-common'];
const KEYRING = '/usr/share/keyrings/debian-archive-keyring.gpg';
const TREE_LIMIT_MS = 30 * 60_000;

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

/** Sets the tree up, and lays its keys into `folder`. */
export async function setUpTree(runner: Runner, release: BareRelease, tree: string, folder: string): Promise<void> {
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
