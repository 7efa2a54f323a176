/** What the lab's two trees are made of. A change here changes the cache key of the trees. */

/** Packages of the dom0. It has no network when it runs: all that the dom0 worker's package depends on is here. */
export const DOM0_PACKAGES: readonly string[] = [
  'usr-is-merged', 'systemd-sysv', 'udev', 'kmod', 'procps', 'less', 'util-linux', 'busybox-static',
  'iproute2', 'iputils-ping', 'iputils-arping', 'ifupdown', 'bridge-utils', 'openssh-server', 'openssh-client',
  'linux-image-amd64', 'tiny-initramfs',
  'xen-hypervisor-4.17-amd64', 'xen-utils-4.17', 'xen-utils-common', 'xenstore-utils', 'qemu-utils',
  'xen-tools', 'mmdebstrap', 'debootstrap',
  'lvm2', 'thin-provisioning-tools', 'dump', 'e2fsprogs', 'zstd', 'xz-utils', 'gzip', 'bzip2', 'rsync', 'socat', 'fdisk', 'partclone',
];

/** Packages of a guest, beyond the essential ones. */
export const GUEST_PACKAGES: readonly string[] = [
  'usr-is-merged', 'systemd-sysv', 'systemd-timesyncd', 'udev', 'kmod', 'procps', 'less', 'iproute2', 'iputils-ping', 'ifupdown', 'openssh-server', 'e2fsprogs',
];

/** Kernel modules that the lab has no hardware for: folders below `/lib/modules/VERSION/kernel`. */
export const UNUSED_MODULES: readonly string[] = [
  ...['gpu', 'media', 'iio', 'infiniband', 'staging', 'usb', 'hid', 'input', 'bluetooth', 'isdn', 'scsi', 'mtd', 'hwmon', 'video', 'power', 'mmc', 'ata', 'nvme',
    'platform', 'edac', 'tty', 'char', 'i2c', 'rtc', 'spi', 'regulator', 'mfd', 'crypto', 'comedi', 'acpi', 'thunderbolt', 'target', 'nvdimm', 'leds', 'firewire',
    'net/wireless', 'net/ethernet', 'net/usb', 'net/can'].map((folder) => `drivers/${folder}`),
  'sound',
  ...['ocfs2', 'gfs2', 'ceph', 'nfs', 'nfsd', 'smb', 'cifs', 'xfs', 'btrfs', 'f2fs', 'jfs', 'reiserfs', 'ubifs'].map((folder) => `fs/${folder}`),
  ...['wireless', 'mac80211', 'bluetooth', 'rxrpc', 'sunrpc', 'tipc', 'sctp', 'ceph', 'batman-adv', 'can', 'nfc'].map((folder) => `net/${folder}`),
];

/** Units that a dom0 of the lab does without. */
export const DOM0_MASKED_UNITS: readonly string[] = [
  'apt-daily.timer', 'apt-daily-upgrade.timer', 'dpkg-db-backup.timer', 'e2scrub_all.timer', 'e2scrub_reap.service', 'fstrim.timer', 'ifupdown-pre.service',
  'systemd-networkd-wait-online.service', 'systemd-binfmt.service', 'systemd-logind.service', 'systemd-pstore.service', 'getty@tty1.service',
  'systemd-update-utmp.service', 'systemd-update-utmp-runlevel.service', 'systemd-hwdb-update.service', 'ldconfig.service', 'systemd-journal-flush.service',
  'systemd-machine-id-commit.service', 'modprobe@configfs.service', 'modprobe@drm.service', 'modprobe@efi_pstore.service', 'modprobe@fuse.service',
  'sys-kernel-debug.mount', 'sys-kernel-tracing.mount', 'sys-fs-fuse-connections.mount', 'sys-kernel-config.mount', 'dev-mqueue.mount', 'dev-hugepages.mount',
  'lvm2-monitor.service', 'xen-watchdog.service', 'kmod-static-nodes.service', 'systemd-udev-settle.service', 'getty-static.service',
  'systemd-firstboot.service', 'systemd-repart.service', 'systemd-pcrphase.service', 'systemd-pcrphase-sysinit.service', 'proc-sys-fs-binfmt_misc.automount',
];

/** Units that a guest of the lab does without: each costs a second or so under emulation. */
export const GUEST_MASKED_UNITS: readonly string[] = [
  'systemd-udev-settle.service', 'ifupdown-pre.service', 'apt-daily.timer', 'apt-daily-upgrade.timer', 'dpkg-db-backup.timer', 'e2scrub_all.timer', 'e2scrub_reap.service',
  'fstrim.timer', 'systemd-binfmt.service', 'modprobe@configfs.service', 'modprobe@drm.service', 'modprobe@efi_pstore.service', 'modprobe@fuse.service',
  'sys-kernel-debug.mount', 'sys-kernel-tracing.mount', 'sys-fs-fuse-connections.mount', 'sys-kernel-config.mount', 'dev-mqueue.mount', 'dev-hugepages.mount',
  'kmod-static-nodes.service', 'systemd-update-utmp.service', 'systemd-update-utmp-runlevel.service', 'systemd-pstore.service', 'systemd-journal-flush.service',
  'systemd-hwdb-update.service', 'ldconfig.service', 'systemd-machine-id-commit.service', 'getty@tty1.service', 'systemd-logind.service',
  'getty-static.service', 'systemd-firstboot.service', 'systemd-repart.service', 'systemd-pcrphase.service', 'systemd-pcrphase-sysinit.service',
  'proc-sys-fs-binfmt_misc.automount', 'modprobe@loop.service', 'modprobe@dm_mod.service',
];

/** Generators of systemd that find nothing in the lab, but would be run at each boot and each `daemon-reload`. */
export const MASKED_GENERATORS: readonly string[] = [
  'systemd-cryptsetup-generator', 'systemd-debug-generator', 'systemd-gpt-auto-generator', 'systemd-hibernate-resume-generator', 'systemd-integritysetup-generator',
  'systemd-rc-local-generator', 'systemd-run-generator', 'systemd-system-update-generator', 'systemd-veritysetup-generator',
];

/** What a guest's tree is without, beside documentation: files that cost time when the tarball is unpacked under emulation. */
export const GUEST_LEFT_OUT: readonly string[] = [
  'usr/lib/udev/hwdb.bin', 'usr/lib/udev/hwdb.d', 'usr/share/zoneinfo/right', 'usr/share/zoneinfo/posix', 'usr/share/bash-completion', 'usr/share/lintian',
  'usr/share/bug', 'usr/share/zsh', 'usr/share/initramfs-tools', 'usr/share/doc', 'usr/share/man', 'usr/share/info', 'usr/share/locale', 'usr/share/polkit-1',
];
