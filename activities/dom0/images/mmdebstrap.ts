/** The golden root tarball of a distribution: made once on a dom0, unpacked for every guest. */
import { distributionOf, whyNotDist } from '../../../contract/distributions.ts';
import { withoutPasswords } from '../../../contract/redact.ts';
import { checkedBy, checkedPath, checkedPattern } from '../tools/arguments.ts';
import { archiveOf } from './apt-sources.ts';
import { runContained } from '../tools/contained.ts';
import type { Host } from '../../../system/host.ts';
import { defined } from '../../../contract/defined.ts';

/** What every guest has, beside the packages that are essential and those of its distribution. */
const GOLDEN_PACKAGES: readonly string[] = [
  // Boots, finds its devices, loads modules.
  'systemd-sysv',
  'udev',
  'dbus',
  'kmod',
  'e2fsprogs',
  // Network, and a login over it. What writes it is the distribution's.
  'iproute2',
  'iputils-ping',
  'netbase',
  'openssh-server',
  'ca-certificates',
  // The right time, in the right zone.
  'systemd-timesyncd',
  'tzdata',
  // xen-tools' hooks would download it for each guest.
  'locales',
  // What a person misses first.
  'procps',
  'less',
  'nano',
];

/** `$1` is the tree. Run by mmdebstrap once all packages are there. */
const FINISH = [
  // A guest makes its own identity: the role gives it one host key, systemd a machine id.
  'rm -f "$1"/etc/ssh/ssh_host_*',
  ': > "$1"/etc/machine-id',
  'rm -f "$1"/var/lib/dbus/machine-id',
  // Empty files keep xen-tools' hook from making RSA and DSA host keys, which takes seconds; the role removes them.
  ': > "$1"/etc/ssh/ssh_host_rsa_key',
  ': > "$1"/etc/ssh/ssh_host_dsa_key',
  // xen-tools copies the dom0's time zone over this link: as an absolute link it would lead to the dom0's own zone data.
  'rm -f "$1"/etc/localtime',
  // The way to the mirror from here; each guest gets a sources.list of its own.
  'rm -f "$1"/etc/apt/apt.conf.d/99mmdebstrap "$1"/etc/apt/sources.list.d/*',
].join(' && ');

const GOLDEN_LIMIT_MS = 60 * 60 * 1000;

/** How apt reaches its mirrors from here (proxies, certificates, retries), out of `apt-config dump`. */
export function acquireOptions(dump: string): string[] {
  return dump
    .split('\n')
    .filter(
      (line) => /^Acquire::(?:https?|ForceIPv[46]|Retries|Check-Valid-Until)\b.*\s".+";$/i.test(line) && !line.includes('Auto-Detect'),
    );
}

/** Where the tree of the tarball at `path` is made. */
export function goldenWork(path: string): string {
  return `${path}.work`;
}

/**
 * Makes the tarball at `path`. Needs a mirror and about a minute; time limit one hour. After a failure it may be there half-made: give
 * a temporary name, and rename it when this has returned.
 *
 * @param options `path` must end in `.tar` or `.tar.zst`; the tree, up to 1 GB, is made in a directory beside it; `mirror`: default: the
 * dom0's own apt sources; `onProgress` gets mmdebstrap's messages, line by line.
 */
export async function makeGolden(
  host: Host,
  options: {
    readonly dist: string;
    readonly path: string;
    readonly mirror?: string;
    readonly signal?: AbortSignal;
    readonly onProgress?: (line: string) => void;
  },
): Promise<void> {
  const dist = checkedBy('dist', options.dist, whyNotDist);
  const path = checkedPattern('golden', checkedPath('golden', options.path), /\.tar(\.zst)?$/, 'the name must end in .tar or .tar.zst');
  const { lines } = await archiveOf(host, dist, options.mirror);
  const packages = [...GOLDEN_PACKAGES, ...(distributionOf(dist)?.packages ?? [])];
  const acquire = acquireOptions((await host.run('apt-config', ['dump'])).stdout);
  const work = goldenWork(path);
  await host.files.removeTree(work);
  // apt unpacks as a user of its own, who must get through.
  await host.files.makeDirectory(`${work}/tmp`, 0o755);
  await host.files.writeAtomic(`${work}/sources.list`, `${lines.join('\n')}\n`);
  await host.files.writeAtomic(`${work}/apt.conf`, `${acquire.join('\n')}\n`);
  const how = ['--mode=root', '--variant=minbase', '--format=tar', `--aptopt=${work}/apt.conf`, '--dpkgopt=force-unsafe-io'];
  const what = [`--include=${packages.join(',')}`, `--customize-hook=${FINISH}`, dist, path, `${work}/sources.list`];
  try {
    await runContained(host, 'mmdebstrap', [...how, ...what], {
      timeoutMs: GOLDEN_LIMIT_MS,
      temporary: `${work}/tmp`,
      ...defined({ signal: options.signal }),
      onLine: (line) => options.onProgress?.(withoutPasswords(line)),
    });
  } finally {
    await host.files.removeTree(work);
  }
  await host.run('sync', ['--', path], { timeoutMs: 600_000 });
}
