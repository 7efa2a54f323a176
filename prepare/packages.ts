/** The Debian packages of a dom0. */
import { GuestflowError } from '../contract/errors.ts';
import type { Host } from '../system/host.ts';
import { ToolError, type RunOptions } from '../system/run.ts';
import { until } from '../system/until.ts';
import { change, there, type Job, type Verb } from './types.ts';

/** What a dom0 needs: the hypervisor with its tools, and what the dom0 worker's package depends on or recommends. */
export const PACKAGES: readonly string[] = [
  'xen-system-amd64',
  'xen-utils-common',
  'xen-tools',
  'lvm2',
  'dump',
  'e2fsprogs',
  'zstd',
  'borgbackup',
  'nftables',
  'openssl',
  'qemu-utils',
  'openssh-client',
  'util-linux',
  'mount',
  'iproute2',
  'bridge-utils',
  'iputils-arping',
  'mmdebstrap',
  'procps',
  'udev',
  'systemd',
];

/** The kernel of Debian's cloud images has no support for Xen's dom0. */
const KERNEL = 'linux-image-amd64';

const INSTALL_LIMIT_MS = 45 * 60_000;
/** How long dpkg may take to end with the package at hand: it may be making an initial RAM disk, or the boot menu. */
const DPKG_ENDS_MS = 15 * 60_000;
const POLL_MS = 500;
const APT: RunOptions = { timeoutMs: INSTALL_LIMIT_MS, env: { DEBIAN_FRONTEND: 'noninteractive' }, label: 'apt-get' };
/** Settings files that the operator has changed stay; another apt that runs is waited for. */
const APT_OPTIONS = ['-o', 'Dpkg::Options::=--force-confold', '-o', 'Dpkg::Options::=--force-confdef', '-o', 'DPkg::Lock::Timeout=300'];
const INSTALL = ['install', '--yes', '--no-install-recommends', '--no-remove', ...APT_OPTIONS, '--'];

async function packagesIn(host: Host, state: RegExp): Promise<Set<string>> {
  const { stdout } = await host.run('dpkg-query', ['--show', '--showformat', '${db:Status-Abbrev} ${Package}\\n']);
  return new Set(stdout.split('\n').flatMap((line) => (state.test(line) ? (/^\S+\s+(\S+)/.exec(line)?.[1] ?? []) : [])));
}

/** Names of the packages that are installed whole; of some, triggers may still have to be run (dpkg(1): `W`, `t`). */
export function installedPackages(host: Host): Promise<Set<string>> {
  return packagesIn(host, /^[ih][iWt]/);
}

/** Names of the packages that have more than settings files on the disk, among them those that a killed dpkg has unpacked. */
function presentPackages(host: Host): Promise<Set<string>> {
  return packagesIn(host, /^\S[HUFWti]/);
}

/** Packages that `apt-get --simulate` would install (`Inst`) or remove (`Remv`; `Purg` where their settings go, too). */
export function parseSimulation(text: string, word: 'Inst' | 'Remv'): string[] {
  return [...text.matchAll(word === 'Inst' ? /^Inst ([^\s:]+)/gm : /^(?:Remv|Purg) ([^\s:]+)/gm)].map((match) => match[1] ?? '');
}

/** Whether one of the kernels in /boot can be Xen's dom0. */
async function hasDom0Kernel(host: Host): Promise<boolean> {
  for (const name of await host.files.list('/boot'))
    if (/^config-/.test(name) && /^CONFIG_XEN_DOM0=y$/m.test(String(await host.files.read(`/boot/${name}`)))) return true;
  return false;
}

async function lacking(host: Host): Promise<string[]> {
  const installed = await installedPackages(host);
  const wanted = (await hasDom0Kernel(host)) ? PACKAGES : [...PACKAGES, KERNEL];
  return wanted.filter((name) => !installed.has(name));
}

async function isRightMachine(host: Host): Promise<void> {
  const architecture = (await host.run('dpkg', ['--print-architecture'])).stdout.trim();
  if (architecture !== 'amd64')
    throw new GuestflowError('HostNotReady', `the host is ${architecture}: guestflow's dom0s are amd64`, {
      field: 'architecture',
      value: architecture,
      mend: 'use a host with Debian amd64',
    });
}

/** dpkg goes on with the package at hand when the apt that started it has been ended; nothing can be removed until it is done. */
async function awaitDpkg(host: Host): Promise<void> {
  const configure = async (): Promise<boolean> => {
    try {
      await host.run('dpkg', ['--configure', '--pending', '--force-confold'], APT);
      return true;
    } catch (error) {
      // A package that cannot be configured can be purged.
      return !(error instanceof ToolError) || !/lock/.test(error.stderr);
    }
  };
  await until(configure, { everyMs: POLL_MS, limitMs: DPKG_ENDS_MS });
}

/** Removes exactly the packages that were not there before. Refuses if apt would remove others with them. */
async function purgeNew(host: Host, before: ReadonlySet<string>): Promise<void> {
  await awaitDpkg(host);
  const added = [...(await presentPackages(host))].filter((name) => !before.has(name));
  if (added.length === 0) return;
  const simulated = parseSimulation((await host.run('apt-get', ['purge', '--simulate', '--', ...added], APT)).stdout, 'Remv');
  const others = simulated.filter((name) => !added.includes(name));
  if (others.length > 0) throw new Error(`purging ${added.join(' ')} would remove ${others.join(' ')}, too`);
  // Of these, e2fsprogs is a protected package of Debian 13: apt wants to be told. The host did without it before.
  await host.run('apt-get', ['purge', '--yes', '--allow-remove-essential', ...APT_OPTIONS, '--', ...added], APT);
}

/** Debian 13 has no xen-tools, and an apt without sources knows nothing. */
async function areKnown(host: Host, names: readonly string[]): Promise<void> {
  const { stdout } = await host.run('apt-cache', ['policy', '--', ...names]);
  const known = new Set([...stdout.matchAll(/^(\S+):\n\s+Installed: .*\n\s+Candidate: (?!\(none\))/gm)].map((match) => match[1] ?? ''));
  const unknown = names.filter((name) => !known.has(name));
  if (unknown.length > 0)
    throw new GuestflowError('HostNotReady', `the host's apt has no package ${unknown.join(', ')}`, {
      field: 'packages',
      value: unknown.join(', '),
      mend: unknown.includes('xen-tools')
        ? "check /etc/apt/sources.list; Debian 13 has no xen-tools: install Debian 12's (apt-get install ./xen-tools_4.9.2-1_all.deb), then run this again"
        : 'add a source of Debian main to /etc/apt/sources.list, then run this again',
    });
}

async function install({ host, onUndo, signal }: Job): Promise<void> {
  const names = await lacking(host);
  const before = await presentPackages(host);
  onUndo('purge the packages that were installed', () => purgeNew(host, before));
  const options = { ...APT, signal };
  // After a dpkg that was killed, apt installs nothing until this was run.
  await host.run('dpkg', ['--configure', '--pending', '--force-confold'], options);
  await host.run('apt-get', ['update', ...APT_OPTIONS], options);
  await areKnown(host, names);
  await host.run('apt-get', [...INSTALL, ...names], options);
}

export const packages: Verb = {
  name: 'packages',
  async look({ host }) {
    await isRightMachine(host);
    const names = await lacking(host);
    if (names.length === 0) return there(`${String(PACKAGES.length)} packages are installed`);
    // Lists that are old or not there yet are fetched before the packages are; a look changes nothing.
    const simulated = await host.run('apt-get', ['--simulate', ...INSTALL, ...names], APT).catch(() => undefined);
    const others = parseSimulation(simulated?.stdout ?? '', 'Inst').filter((name) => !names.includes(name));
    return change(`missing: ${names.join(' ')}`, [
      'apt-get update',
      `apt-get install ${names.join(' ')}`,
      simulated === undefined
        ? "with what they depend on (known when apt's lists are there)"
        : `with what they depend on: ${others.length === 0 ? 'nothing more' : others.join(' ')}`,
    ]);
  },
  do: install,
};
