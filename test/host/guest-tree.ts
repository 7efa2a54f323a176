/** A system tree as small as xen-tools and the role take it: what they look for, and nothing that runs. */
import { chmodSync, mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { host } from './machine.ts';

const FILES: Readonly<Record<string, string>> = {
  // bookworm's order of accounts does not begin with root; one account has an empty password.
  'etc/shadow': 'daemon:*:19000:0:99999:7:::\nroot::19000:0:99999:7:::\nopen::19000:0:99999:7:::\n',
  'etc/passwd': 'root:x:0:0:root:/root:/bin/bash\nopen::1000:1000::/home/open:/bin/sh\n',
  'etc/machine-id': '0123456789abcdef0123456789abcdef\n',
  'var/lib/dbus/machine-id': '0123456789abcdef0123456789abcdef\n',
  'etc/ssh/sshd_config': 'Include /etc/ssh/sshd_config.d/*.conf\nUsePAM yes\n',
  'etc/ssh/ssh_host_rsa_key': '',
  'etc/ssh/ssh_host_dsa_key': '',
  'etc/ssh/ssh_host_ecdsa_key': 'the same in every guest\n',
  'etc/network/interfaces': 'auto eth0\niface eth0 inet static\n address 192.168.77.11\n',
  'etc/hostname': 'of-another-machine\n',
  'usr/share/zoneinfo/Europe/Berlin': 'TZif',
  'usr/share/zoneinfo/UTC': 'TZif',
  'lib/systemd/system/systemd-timesyncd.service': '[Service]\n',
  'var/lib/apt/lists/some_list': 'Package: x\n',
};

const FOLDERS = [
  'dev/pts',
  'proc',
  'sys',
  'tmp',
  'root',
  'etc/apt/apt.conf.d',
  'etc/ssh/sshd_config.d',
  'etc/systemd/system',
  'usr/sbin',
  'lib/modules',
];
const PROGRAMS = ['bin/ls', 'bin/cp'];

/** @param more files beside those of every tree, by path */
export function makeTree(root: string, more: Readonly<Record<string, string>> = {}): string {
  for (const folder of FOLDERS) mkdirSync(join(root, folder), { recursive: true });
  for (const [path, text] of Object.entries({ ...FILES, ...more })) {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), text);
  }
  for (const program of PROGRAMS) {
    mkdirSync(dirname(join(root, program)), { recursive: true });
    writeFileSync(join(root, program), '#!/bin/sh\n', { mode: 0o755 });
  }
  chmodSync(join(root, 'etc/shadow'), 0o640);
  return root;
}

/** The tree as a root tarball. */
export async function makeTarball(root: string, path: string): Promise<string> {
  await host.run('tar', ['--numeric-owner', '--owner=0', '--group=0', '-cf', path, '-C', root, '.']);
  return path;
}
