/**
 * A bare Debian in QEMU, as `dom0 prepare` finds it: a kernel, systemd, ssh and GRUB on a partitioned disk; no Xen, no LVM, no bridge.
 * The Debian packages that a dom0 needs lie in /srv/apt on it, since it has no network but ssh's.
 */
import { copyFile, mkdtemp, open, readFile, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import type { Runner } from '../system/run.ts';
import { isServerAlive, startServer, stopServer, type ServerProcess } from '../system/run-server.ts';
import { BARE_ADDRESSES, setUpTree, type BareRelease } from './bare-tree.ts';
import { disk, quote, TCG_CPU } from './machine.ts';
import { awaitSsh } from './ssh.ts';
import { freePort } from '../system/ports.ts';

const MKE2FS_LIMIT_MS = 30 * 60_000;
const BOOT_LIMIT_MS = 10 * 60_000;
const MEMORY_MIB = 3072;
const SECTOR = 512;
const FIRST_SECTOR = 2048;
const DISK_BYTES = 6 * 1024 ** 3;

/** A bare host: its disk, the way in, and its host key. */
export interface BareHost {
  readonly folder: string;
  readonly sshConfig: string;
  readonly sshPort: number;
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
  await runner.run('mke2fs', args, { timeoutMs: MKE2FS_LIMIT_MS });
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
