/** The two root trees, made by mmdebstrap from the machine's own Debian mirror: the dom0's as a folder, the guest's as a tarball. */
import { mkdir, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Runner } from '../activities/host/run.ts';
import { acquireOptions, proxyEnvironment, RELEASE, type AptSource } from './apt.ts';
import { DOM0_PACKAGES, GUEST_LEFT_OUT, GUEST_MASKED_UNITS, GUEST_PACKAGES, MASKED_GENERATORS, UNUSED_MODULES } from './packages.ts';

const KEYRING = '/usr/share/keyrings/debian-archive-keyring.gpg';
const TREE_TIME_LIMIT_MS = 30 * 60_000;

/** How a tree is built. */
export interface TreeContext {
  readonly runner: Runner;
  readonly sources: readonly AptSource[];
  readonly signal?: AbortSignal | undefined;
  readonly onOutput?: (text: string) => void;
}

/** Masks units or generators by links to /dev/null, as `systemctl mask` does in a running system. */
function maskLines(kind: 'system' | 'system-generators', names: readonly string[]): string {
  return `mkdir -p "$1/etc/systemd/${kind}"\n${names.map((name) => `ln -sf /dev/null "$1/etc/systemd/${kind}/${name}"`).join('\n')}`;
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

/** Files laid over a guest's tree as they are. */
export const GUEST_OVERLAY = fileURLToPath(new URL('./files/guest', import.meta.url));

/**
 * A guest makes its own keys and machine-id. Its time daemon starts after sshd instead of before everything: its sandbox
 * takes ten seconds under emulation.
 */
const GUEST_CUSTOMIZE_HOOK = `#!/bin/sh
set -e
cp -r --no-preserve=ownership "${GUEST_OVERLAY}/." "$1/"
rm -f "$1"/etc/ssh/ssh_host_* "$1"/var/cache/apt/*.bin
for left_out in ${GUEST_LEFT_OUT.join(' ')}; do rm -rf "$1/$left_out"; done
${maskLines('system', GUEST_MASKED_UNITS)}
${maskLines('system-generators', [...MASKED_GENERATORS, 'systemd-sysv-generator'])}
sed -e '/^\\(Private\\|Protect\\|Restrict[A-Z]\\|SystemCall\\|LockPersonality\\|MemoryDeny\\|NoNewPrivileges\\)/d' \\
  -e 's/^Before=.*/Before=shutdown.target/' -e 's/^After=.*/After=systemd-sysusers.service ssh.service/' \\
  "$1/lib/systemd/system/systemd-timesyncd.service" > "$1/etc/systemd/system/systemd-timesyncd.service"
: > "$1/etc/machine-id"
: > "$1/etc/apt/sources.list"
`;

async function mmdebstrap(
  context: TreeContext,
  target: string,
  packages: readonly string[],
  hook: { kind: 'essential' | 'customize'; script: string },
): Promise<void> {
  const hookFile = `${target}.hook`;
  await mkdir(path.dirname(target), { recursive: true });
  await writeFile(hookFile, hook.script, { mode: 0o755 });
  const { stdout: aptConfiguration } = await context.runner.run('apt-config', ['dump']);
  const options = [...acquireOptions(aptConfiguration), 'APT::Install-Recommends "false";', 'Acquire::Languages "none";'];
  try {
    // Its own process and mount namespace: when it is cancelled, every process and every mount in the tree goes with it.
    await context.runner.run(
      'unshare',
      [
        '--mount',
        '--pid',
        '--fork',
        '--kill-child',
        '--propagation',
        'private',
        'mmdebstrap',
        '--mode=root',
        '--variant=minbase',
        `--include=${packages.join(',')}`,
        ...options.map((option) => `--aptopt=${option.replace(/;$/, '')}`),
        '--dpkgopt=force-unsafe-io',
        '--dpkgopt=force-confold',
        '--hook-dir=/usr/share/mmdebstrap/hooks/merged-usr',
        `--${hook.kind}-hook="${hookFile}" "$1"`,
        RELEASE,
        target,
        ...context.sources.map((source) => `deb [signed-by=${KEYRING}] ${source.uri} ${source.suite} main`),
      ],
      {
        timeoutMs: TREE_TIME_LIMIT_MS,
        env: { ...proxyEnvironment(), DEBIAN_FRONTEND: 'noninteractive' },
        label: 'mmdebstrap',
        ...(context.signal === undefined ? {} : { signal: context.signal }),
        onOutput: (text) => context.onOutput?.(text),
      },
    );
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
  // The overlay's path in the hook is the checkout's own: it is not part of the recipe.
  const hook = GUEST_CUSTOMIZE_HOOK.replaceAll(GUEST_OVERLAY, '');
  return JSON.stringify([DOM0_PACKAGES, GUEST_PACKAGES, DOM0_ESSENTIAL_HOOK, hook, sources]);
}
