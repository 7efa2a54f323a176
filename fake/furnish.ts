/** What a Debian dom0 has before guestflow comes: directories, kernels, tools to look for, a bridge. */
import { chmodSync, existsSync, mkdirSync } from 'node:fs';
import { KERNEL_RELEASE, type Machine } from './machine.ts';

const DIRECTORIES = [
  '/etc/xen/auto',
  '/etc/xen-tools/role.d',
  '/etc/apt/sources.list.d',
  '/etc/guestflow',
  '/home/xen/domains',
  '/var/backups',
  '/var/lib',
  '/var/log/xen/console',
  '/var/log/xen-tools',
  '/tmp',
  '/dev',
  '/boot',
  '/var/lib/guestflow',
  '/var/backups/guestflow',
];

const PROGRAMS = [
  '/usr/sbin/xl',
  '/usr/sbin/lvcreate',
  '/usr/sbin/lvs',
  '/usr/sbin/vgs',
  '/usr/sbin/lvremove',
  '/usr/sbin/lvrename',
  '/usr/sbin/lvchange',
  '/usr/sbin/lvextend',
  '/usr/sbin/e2fsck',
  '/usr/sbin/resize2fs',
  '/usr/sbin/dumpe2fs',
  '/usr/sbin/debugfs',
  '/usr/sbin/e2undo',
  '/usr/bin/perl',
  '/usr/sbin/tune2fs',
  '/usr/sbin/mkswap',
  '/usr/sbin/blkdiscard',
  '/usr/sbin/dump',
  '/usr/sbin/restore',
  '/usr/sbin/losetup',
  '/usr/bin/qemu-img',
  '/usr/bin/zstd',
  '/usr/bin/mmdebstrap',
  '/usr/bin/xen-create-image',
  '/usr/bin/ssh',
  '/usr/bin/ssh-keygen',
  '/usr/bin/ssh-keyscan',
  '/usr/bin/arping',
  '/usr/sbin/nft',
  '/usr/bin/udevadm',
  '/usr/bin/systemd-run',
  '/usr/bin/setpriv',
  '/usr/bin/unshare',
  '/usr/bin/cmp',
  '/usr/bin/borg',
  '/usr/bin/openssl',
  '/usr/share/guestflow/role.d/guestflow',
  '/etc/init.d/xendomains',
  '/usr/lib/apt/apt-helper',
  '/usr/lib/xen-4.17/bin/xenconsole',
];

/** Puts in place what is not there yet. */
export function furnish(machine: Machine): void {
  const { options } = machine;
  for (const directory of [...DIRECTORIES, `/sys/class/net/${options.network.bridge}/bridge`, `/lib/modules/${KERNEL_RELEASE}`])
    mkdirSync(machine.at(directory), { recursive: true });
  const put = (path: string, text: string, mode = 0o644): void => {
    if (existsSync(machine.at(path))) return;
    machine.writeText(path, text, mode);
    chmodSync(machine.at(path), mode);
  };
  for (const program of PROGRAMS) put(program, '#!/bin/false\n', 0o755);
  put(`/boot/vmlinuz-${KERNEL_RELEASE}`, 'kernel\n');
  put(`/boot/initrd.img-${KERNEL_RELEASE}`, 'initrd\n');
  put('/etc/apt/sources.list', 'deb http://mirror.example/debian bookworm main\ndeb http://mirror.example/debian trixie main\n');
  for (const keyring of ['debian', 'ubuntu']) put(`/usr/share/keyrings/${keyring}-archive-keyring.gpg`, 'keys\n');
  put('/etc/xen-tools/distributions.conf', 'bookworm = debian\ntrixie = debian\n');
  put('/proc/loadavg', '0.10 0.10 0.10 1/100 1000\n');
  put('/etc/default/xen', 'XENCONSOLED_ARGS="--log=guest --log-dir=/var/log/xen/console"\n');
  put('/sys/module/loop/parameters/max_loop', `${String(options.maxLoop)}\n`);
  put('/proc/version', `Linux version ${KERNEL_RELEASE} (debian-kernel@lists.debian.org)\n`);
  put('/proc/sys/kernel/osrelease', `${KERNEL_RELEASE}\n`);
  if (options.kernel === 'xenlinux') put('/proc/sys/xen/independent_wallclock', '0\n');
}
