/** Makes the dom0's tree a bootable dom0 of the lab. Works on a copy made of hard links, so it never writes into a file: it replaces it. */
import { chmod, copyFile, link, mkdir, readdir, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Runner } from '../system/run.ts';
import { loadOrder, makeInitrd, moduleName, readModule } from './initrd.ts';
import { extractKernel, unpackTo } from './kernel.ts';
import { DOM0_MASKED_UNITS, MASKED_GENERATORS } from './packages.ts';
import { RELEASE_FACTS, RELEASES, type Release } from './releases.ts';

/** Files that are laid over the dom0's tree as they are. */
export const OVERLAY = fileURLToPath(new URL('./files/dom0', import.meta.url));

const DOM0_MODULES: readonly string[] = ['virtio_pci', 'virtio_blk', 'ext4', 'crc32c_generic', 'crc32c-intel', 'virtio_net'];
const GUEST_MODULES: readonly string[] = ['xen-blkfront', 'ext4', 'crc32c_generic', 'crc32c-intel', 'xen-netfront'];
const GOLDEN = 'var/lib/guestflow/golden';

/** What the tree is made of and where the pieces that QEMU wants go. */
export interface CustomizeInput {
  readonly runner: Runner;
  readonly release: Release;
  /** The dom0's tree; changed. */
  readonly tree: string;
  /** Folder for `xen`, `vmlinux`, `initrd`, `id_ed25519`, `known_host`. */
  readonly output: string;
}

async function put(tree: string, name: string, content: string | Uint8Array, mode = 0o644): Promise<void> {
  const target = path.join(tree, name);
  await mkdir(path.dirname(target), { recursive: true });
  await rm(target, { force: true });
  await writeFile(target, content, { mode });
  await chmod(target, mode);
}

async function putLink(tree: string, name: string, to: string): Promise<void> {
  const target = path.join(tree, name);
  await mkdir(path.dirname(target), { recursive: true });
  await rm(target, { force: true });
  await symlink(to, target);
}

async function layOverlay(tree: string): Promise<void> {
  for (const entry of await readdir(OVERLAY, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue;
    const source = path.join(entry.parentPath, entry.name);
    const executable = ((await stat(source)).mode & 0o100) !== 0;
    await put(tree, path.relative(OVERLAY, source), await readFile(source), executable ? 0o755 : 0o644);
  }
}

async function setUpUnits(tree: string): Promise<void> {
  for (const unit of DOM0_MASKED_UNITS) await putLink(tree, `etc/systemd/system/${unit}`, '/dev/null');
  for (const generator of MASKED_GENERATORS) await putLink(tree, `etc/systemd/system-generators/${generator}`, '/dev/null');
  await putLink(
    tree,
    'etc/systemd/system/multi-user.target.wants/guestflow-lab-disks.service',
    '/etc/systemd/system/guestflow-lab-disks.service',
  );
  await putLink(tree, 'etc/systemd/network/99-default.link', '/dev/null');
}

/** The lab's own keys: one to log in with, and the dom0's host key, known from the start. */
async function setUpKeys({ runner, tree, output }: CustomizeInput): Promise<void> {
  for (const [file, comment] of [
    ['id_ed25519', 'guestflow-lab'],
    ['host_ed25519', 'dom0'],
  ] as const) {
    await runner.run('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-C', comment, '-f', path.join(output, file)]);
  }
  const hostKey = await readFile(path.join(output, 'host_ed25519.pub'), 'utf8');
  for (const name of await readdir(path.join(tree, 'etc/ssh'))) {
    if (name.startsWith('ssh_host_')) await rm(path.join(tree, 'etc/ssh', name));
  }
  await put(tree, 'etc/ssh/ssh_host_ed25519_key', await readFile(path.join(output, 'host_ed25519')), 0o600);
  await put(tree, 'etc/ssh/ssh_host_ed25519_key.pub', hostKey);
  await mkdir(path.join(tree, 'root/.ssh'), { recursive: true, mode: 0o700 });
  await put(tree, 'root/.ssh/authorized_keys', await readFile(path.join(output, 'id_ed25519.pub')), 0o600);
  await put(output, 'known_host', `dom0 ${hostKey.split(' ').slice(0, 2).join(' ')}\n`);
  await rm(path.join(output, 'host_ed25519'));
}

/** xen-tools: no pygrub, and no RSA and DSA keys (19 seconds under emulation): its hook leaves files alone that exist. */
async function setUpXenTools(tree: string): Promise<void> {
  let distributions = await readFile(path.join(tree, 'etc/xen-tools/distributions.conf'), 'utf8');
  for (const dist of RELEASES) distributions = distributions.replace(new RegExp(`^${dist}\\s*=.*$`, 'm'), `${dist.padEnd(12)} = debian`);
  await put(tree, 'etc/xen-tools/distributions.conf', distributions);
  for (const kind of ['rsa', 'dsa']) await put(tree, `etc/xen-tools/skel/etc/ssh/ssh_host_${kind}_key`, '', 0o600);
  for (const folder of ['home/xen/domains', 'var/log/xen/console', 'var/backups/guestflow'])
    await mkdir(path.join(tree, folder), { recursive: true });
}

/** The few modules that a guest needs: xen-tools would otherwise copy dom0's whole tree. */
async function setUpGuestModules(runner: Runner, tree: string, version: string): Promise<void> {
  const source = path.join(tree, 'lib/modules', version);
  const target = path.join('srv/guestflow/modules', version);
  const order = loadOrder(await readFile(path.join(source, 'modules.dep'), 'utf8'), GUEST_MODULES);
  for (const file of order) {
    const plain = path.join(path.dirname(file), `${moduleName(file)}.ko`);
    await put(tree, path.join(target, plain), await readModule(runner, path.join(source, file)));
  }
  for (const file of ['modules.builtin', 'modules.builtin.modinfo', 'modules.order'])
    await put(tree, path.join(target, file), await readFile(path.join(source, file)));
  // depmod looks in lib/modules below its base folder.
  await putLink(tree, 'srv/guestflow/depmod/lib/modules', '/srv/guestflow/modules');
  await runner.run('chroot', [tree, 'depmod', '-b', '/srv/guestflow/depmod', version]);
  await rm(path.join(tree, 'srv/guestflow/depmod'), { recursive: true });
}

/** Changes the tree and fills the output folder. Returns the kernel's version. */
export async function customizeDom0(input: CustomizeInput): Promise<string> {
  const { runner, release, tree, output } = input;
  const [version] = await readdir(path.join(tree, 'lib/modules'));
  if (version === undefined) throw new Error('the dom0 tree has no kernel');
  await layOverlay(tree);
  await setUpUnits(tree);
  await setUpKeys(input);
  await setUpXenTools(tree);
  await setUpGuestModules(runner, tree, version);
  // With a mirror here, xen-tools' hooks would ask the network.
  await put(tree, 'etc/apt/sources.list', '');
  await extractKernel(runner, path.join(tree, 'boot', `vmlinuz-${version}`), path.join(output, 'vmlinux'));
  await put(tree, `boot/vmlinux-${version}`, await readFile(path.join(output, 'vmlinux')));
  await makeInitrd(runner, tree, version, DOM0_MODULES, path.join(output, 'initrd'));
  await rm(path.join(tree, 'boot', `initrd.img-${version}`), { force: true });
  await makeInitrd(runner, tree, version, GUEST_MODULES, path.join(tree, 'boot', `initrd.img-${version}`));
  await unpackTo(runner, 'gzip', path.join(tree, 'boot', `xen-${RELEASE_FACTS[release].xen}-amd64.gz`), path.join(output, 'xen'));
  return version;
}

/** Puts the golden tarball of a distribution's guests into the tree, with the facts beside it that the product looks at. */
export async function addGolden(
  tree: string,
  dist: Release,
  tarball: string,
  facts: { sha256: string; createdAt: string; bytes: number },
): Promise<void> {
  const target = path.join(tree, GOLDEN, `${dist}.tar`);
  await mkdir(path.dirname(target), { recursive: true });
  await link(tarball, target).catch(() => copyFile(tarball, target));
  await put(tree, `${GOLDEN}/${dist}.tar.json`, `${JSON.stringify({ dist, tool: 'mmdebstrap', ...facts })}\n`);
}
