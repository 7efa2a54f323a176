/**
 * The smallest initrd that boots the lab's machines: a static busybox, the modules of the root disk, and an init of twenty lines.
 * Under emulation it saves the seconds that udev and the shell scripts of a distribution's initrd take.
 */
import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import type { Runner } from '../system/run.ts';

const INIT = `#!/bin/busybox sh
bb=/bin/busybox
$bb mount -t devtmpfs dev /dev
$bb mount -t proc proc /proc
while read -r module; do $bb insmod "/modules/$module"; done < /modules/order
root= mode=ro init=/sbin/init
for word in $($bb cat /proc/cmdline); do
  case $word in
    root=*) root=\${word#root=} ;;
    init=*) init=\${word#init=} ;;
    rw|ro) mode=$word ;;
  esac
done
left=600
while [ ! -b "$root" ] && [ $left -gt 0 ]; do $bb sleep 0.05; left=$((left - 1)); done
$bb mount -t ext4 -o "$mode" "$root" /root || { echo "no root file system on $root"; exec $bb sh; }
$bb umount /proc
$bb mount -o move /dev /root/dev
exec $bb switch_root /root "$init"
`;

const FOLDER = 0o040755;
const EXECUTABLE = 0o100755;
const PLAIN = 0o100644;
const CHARACTER_DEVICE = 0o020600;

interface Member {
  readonly name: string;
  readonly mode: number;
  readonly data?: Uint8Array;
  /** Major and minor number of a device. */
  readonly device?: readonly [number, number];
}

/** One member in the format of cpio(5) "newc", which the kernel unpacks. */
function encodeMember(member: Member, inode: number): Buffer {
  const data = member.data ?? new Uint8Array();
  const name = Buffer.from(`${member.name}\0`);
  const [major, minor] = member.device ?? [0, 0];
  const fields = [inode, member.mode, 0, 0, 1, 0, data.length, 0, 0, major, minor, name.length, 0];
  const header = Buffer.from(`070701${fields.map((field) => field.toString(16).padStart(8, '0')).join('')}`);
  const padded = (part: Buffer): Buffer => Buffer.concat([part, Buffer.alloc((4 - (part.length % 4)) % 4)]);
  return Buffer.concat([padded(Buffer.concat([header, name])), padded(Buffer.from(data))]);
}

/** A cpio archive of the members, in order. */
export function encodeCpio(members: readonly Member[]): Buffer {
  const all = [...members, { name: 'TRAILER!!!', mode: 0 }];
  return Buffer.concat(all.map((member, index) => encodeMember(member, index + 1)));
}

const MODULE_SUFFIX = /\.ko(\.xz|\.zst|\.gz)?$/;
const MODULE_UNPACKERS: Readonly<Record<string, string>> = { '.xz': 'xz', '.zst': 'zstd', '.gz': 'gzip' };

/** The name of a module by its file's: kernels from Debian 13 on come with compressed modules (`ext4.ko.xz`). */
export function moduleName(file: string): string {
  return path.basename(file).replace(MODULE_SUFFIX, '');
}

/** A module as insmod takes it, uncompressed. */
export async function readModule(runner: Runner, file: string): Promise<Uint8Array> {
  const tool = MODULE_UNPACKERS[MODULE_SUFFIX.exec(file)?.[1] ?? ''];
  if (tool === undefined) return readFile(file);
  const chunks: Uint8Array[] = [];
  await runner.pipeline([{ tool, args: ['-dc', '--', file] }], { sink: (chunk) => void chunks.push(chunk) });
  return Buffer.concat(chunks);
}

/**
 * The modules that must be loaded for `wanted`, each after those it needs.
 *
 * @param dep text of `modules.dep`.
 * @param wanted names without suffix; one that is built into the kernel is not in the list, and left out.
 * @returns paths below `/lib/modules/VERSION`.
 */
export function loadOrder(dep: string, wanted: readonly string[]): string[] {
  const needs = new Map<string, string[]>();
  const byName = new Map<string, string>();
  for (const line of dep.split('\n')) {
    const [file, others] = line.split(':');
    if (file === undefined || others === undefined) continue;
    needs.set(
      file,
      others
        .trim()
        .split(/\s+/)
        .filter((word) => word !== ''),
    );
    byName.set(moduleName(file).replaceAll('-', '_'), file);
  }
  const order: string[] = [];
  const visit = (file: string): void => {
    if (order.includes(file)) return;
    for (const other of needs.get(file) ?? []) visit(other);
    order.push(file);
  };
  for (const name of wanted) {
    const file = byName.get(name.replaceAll('-', '_'));
    if (file !== undefined) visit(file);
  }
  return order;
}

/** Writes an initrd for the kernel `version` of the tree, with the modules `wanted` and what they need, uncompressed. */
export async function makeInitrd(runner: Runner, tree: string, version: string, wanted: readonly string[], target: string): Promise<void> {
  const modulesFolder = path.join(tree, 'lib/modules', version);
  const order = loadOrder(await readFile(path.join(modulesFolder, 'modules.dep'), 'utf8'), wanted);
  const modules = await Promise.all(
    order.map(async (file) => ({
      name: `modules/${moduleName(file)}.ko`,
      mode: PLAIN,
      data: await readModule(runner, path.join(modulesFolder, file)),
    })),
  );
  const folders = ['bin', 'dev', 'proc', 'root', 'modules'].map((name) => ({ name, mode: FOLDER }));
  const archive = encodeCpio([
    ...folders,
    { name: 'dev/console', mode: CHARACTER_DEVICE, device: [5, 1] },
    { name: 'bin/busybox', mode: EXECUTABLE, data: await readFile(path.join(tree, 'bin/busybox')) },
    { name: 'init', mode: EXECUTABLE, data: Buffer.from(INIT) },
    { name: 'modules/order', mode: PLAIN, data: Buffer.from(`${order.map((file) => `${moduleName(file)}.ko`).join('\n')}\n`) },
    ...modules,
  ]);
  await writeFile(target, archive);
}
