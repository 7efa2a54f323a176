/** The root trees, made by mmdebstrap from the machine's own Debian mirror: the dom0's as a folder, a guest's as a tarball. */
import { mkdir, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Runner } from '../system/run.ts';
import { acquireOptions, proxyEnvironment, type AptSource } from './apt.ts';
import { dom0Packages, GUEST_LEFT_OUT, GUEST_MASKED_UNITS, GUEST_PACKAGES, MASKED_GENERATORS, UNUSED_MODULES } from './packages.ts';
import { RELEASE_FACTS, type Release } from './releases.ts';

const KEYRING = '/usr/share/keyrings/debian-archive-keyring.gpg';
const TREE_TIME_LIMIT_MS = 30 * 60_000;

/** How a tree is built. */
export interface TreeContext {
  readonly runner: Runner;
  readonly release: Release;
  /** Of the release, and of the one that its dom0 borrows from. */
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
${UNUSED_MODULES.flatMap((folder) => ['', '/usr'].map((top) => `echo 'path-exclude=${top}/lib/modules/*/kernel/${folder}/*'`)).join('\n')}
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

/** Runs before the first package is chosen. From the borrowed release only those packages are taken that the release itself lacks. */
function borrowingHook(release: Release): string {
  return `#!/bin/sh
set -e
printf 'Package: *\\nPin: release n=%s\\nPin-Priority: 100\\n' ${release} > "$1/etc/apt/preferences.d/lab"
`;
}

interface Hook {
  readonly kind: 'setup' | 'essential' | 'customize';
  readonly script: string;
}

/** Writes the hooks beside the target. Returns mmdebstrap's options for them. */
async function writeHooks(target: string, hooks: readonly Hook[]): Promise<string[]> {
  await mkdir(path.dirname(target), { recursive: true });
  for (const { kind, script } of hooks) await writeFile(`${target}.${kind}`, script, { mode: 0o755 });
  return hooks.map(({ kind }) => `--${kind}-hook="${target}.${kind}" "$1"`);
}

async function mmdebstrap(context: TreeContext, target: string, packages: readonly string[], hooks: readonly Hook[]): Promise<void> {
  const hookOptions = await writeHooks(target, hooks);
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
        ...hookOptions,
        context.release,
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
    for (const { kind } of hooks) await rm(`${target}.${kind}`, { force: true });
  }
}

function dom0Hooks(release: Release): Hook[] {
  const from = RELEASE_FACTS[release].xenToolsFrom;
  const essential: Hook = { kind: 'essential', script: DOM0_ESSENTIAL_HOOK };
  return from === undefined ? [essential] : [{ kind: 'setup', script: borrowingHook(from) }, essential];
}

/** Makes the dom0's root tree in the folder `target`, which must not exist. */
export async function makeDom0Tree(context: TreeContext, target: string): Promise<void> {
  await mmdebstrap(context, target, dom0Packages(context.release), dom0Hooks(context.release));
}

/** Makes the golden tarball of a guest. */
export async function makeGuestTarball(context: TreeContext, target: string): Promise<void> {
  await mmdebstrap(context, target, GUEST_PACKAGES, [{ kind: 'customize', script: GUEST_CUSTOMIZE_HOOK }]);
}

/** What decides the content of the dom0's tree, for its cache key. */
export function dom0Recipe(release: Release, sources: readonly AptSource[]): string {
  return JSON.stringify([release, dom0Packages(release), dom0Hooks(release), sources]);
}

/** What decides the content of a guest's tarball, for its cache key. */
export function guestRecipe(release: Release, sources: readonly AptSource[]): string {
  // The overlay's path in the hook is the checkout's own: it is not part of the recipe.
  return JSON.stringify([release, GUEST_PACKAGES, GUEST_CUSTOMIZE_HOOK.replaceAll(GUEST_OVERLAY, ''), sources]);
}
