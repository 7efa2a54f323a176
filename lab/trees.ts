/** The two root trees, made by mmdebstrap from the machine's own Debian mirror: the dom0's as a folder, the guest's as a tarball. */
import { mkdir, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import type { Runner } from '../activities/host/run.ts';
import { acquireOptions, proxyEnvironment, RELEASE, type AptSource } from './apt.ts';
import { DOM0_PACKAGES, GUEST_MASKED_UNITS, GUEST_PACKAGES, UNUSED_MODULES } from './packages.ts';

const KEYRING = '/usr/share/keyrings/debian-archive-keyring.gpg';
const TREE_TIME_LIMIT_MS = 30 * 60_000;

/** How a tree is built. */
export interface TreeContext {
  readonly runner: Runner;
  readonly sources: readonly AptSource[];
  readonly signal?: AbortSignal | undefined;
  readonly onOutput?: (text: string) => void;
}

/** Masks units by links to /dev/null, as `systemctl mask` does in a running system. */
function maskLines(units: readonly string[]): string {
  return units.map((unit) => `ln -sf /dev/null "$1/etc/systemd/system/${unit}"`).join('\n');
}

/** Files that dpkg leaves out: modules without hardware, documentation. Written before the first package is configured. */
const DOM0_ESSENTIAL_HOOK = `#!/bin/sh
set -e
{
${UNUSED_MODULES.map((folder) => `echo 'path-exclude=/lib/modules/*/kernel/${folder}/*'`).join('\n')}
echo 'path-exclude=/usr/share/doc/*'
echo 'path-include=/usr/share/doc/*/copyright'
echo 'path-exclude=/usr/share/info/*'
echo 'path-exclude=/usr/share/man/*'
echo 'path-exclude=/usr/share/locale/*'
} > "$1/etc/dpkg/dpkg.cfg.d/lab"
`;

/** A guest keeps its documentation out and makes its own host keys; apt in it does not wait for a mirror that a closed network lacks. */
const GUEST_CUSTOMIZE_HOOK = `#!/bin/sh
set -e
rm -rf "$1"/usr/lib/udev/hwdb.bin "$1"/usr/lib/udev/hwdb.d "$1"/etc/ssh/ssh_host_* "$1"/var/cache/apt/*.bin
for folder in doc man info locale; do rm -rf "$1"/usr/share/$folder/*; done
${maskLines(GUEST_MASKED_UNITS)}
echo 'Acquire::Retries "0";' > "$1/etc/apt/apt.conf.d/99lab"
printf 'UseDNS no\\n' > "$1/etc/ssh/sshd_config.d/lab.conf"
: > "$1/etc/machine-id"
: > "$1/etc/apt/sources.list"
`;

async function mmdebstrap(context: TreeContext, target: string, packages: readonly string[], hook: { kind: 'essential' | 'customize'; script: string }): Promise<void> {
  const hookFile = `${target}.hook`;
  await mkdir(path.dirname(target), { recursive: true });
  await writeFile(hookFile, hook.script, { mode: 0o755 });
  const { stdout: aptConfiguration } = await context.runner.run('apt-config', ['dump']);
  const options = [...acquireOptions(aptConfiguration), 'APT::Install-Recommends "false";', 'Acquire::Languages "none";'];
  try {
    // Its own process and mount namespace: when it is cancelled, every process and every mount in the tree goes with it.
    await context.runner.run('unshare', [
      '--mount', '--pid', '--fork', '--kill-child', '--propagation', 'private',
      'mmdebstrap', '--mode=root', '--variant=minbase', `--include=${packages.join(',')}`,
      ...options.map((option) => `--aptopt=${option.replace(/;$/, '')}`),
      '--dpkgopt=force-unsafe-io', '--dpkgopt=force-confold', `--${hook.kind}-hook="${hookFile}" "$1"`,
      RELEASE, target,
      ...context.sources.map((source) => `deb [signed-by=${KEYRING}] ${source.uri} ${source.suite} main`),
    ], {
      timeoutMs: TREE_TIME_LIMIT_MS, env: { ...proxyEnvironment(), DEBIAN_FRONTEND: 'noninteractive' }, label: 'mmdebstrap',
      ...(context.signal === undefined ? {} : { signal: context.signal }),
      onOutput: (text) => context.onOutput?.(text),
    });
  } finally {
    await rm(hookFile, { force: true });
  }
}

/** Makes the dom0's root tree in the folder `target`, which must not exist. */
export async function makeDom0Tree(context: TreeContext, target: string): Promise<void> {
  await mmdebstrap(context, target, DOM0_PACKAGES, { kind: 'essential', script: DOM0_ESSENTIAL_HOOK });
}

/** Makes the golden tarball of a guest. */
export async function makeGuestTarball(context: TreeContext, target: string): Promise<void> {
  await mmdebstrap(context, target, GUEST_PACKAGES, { kind: 'customize', script: GUEST_CUSTOMIZE_HOOK });
}

/** What decides the content of the trees, for their cache key. */
export function treeRecipe(sources: readonly AptSource[]): string {
  return JSON.stringify([DOM0_PACKAGES, GUEST_PACKAGES, DOM0_ESSENTIAL_HOOK, GUEST_CUSTOMIZE_HOOK, sources]);
}
