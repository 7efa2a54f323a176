/** xen-tools' xen-create-image: a guest's first image and cfg. */
import { distributionOf, whyNotDist } from '../../../contract/distributions.ts';
import { GuestflowError } from '../../../contract/errors.ts';
import { whyNotFsOptions, whyNotRole, whyNotSerialDevice } from '../../../contract/field-checks.ts';
import { MAC_PATTERN, whyNotMac } from '../../../contract/mac.ts';
import { whyNotMirrorForm } from '../../../contract/mirror.ts';
import { formatSize, MiB } from '../../../contract/sizes.ts';
import type { GuestNetwork } from '../../../contract/guest.ts';
import {
  checkedAddress,
  checkedBy,
  checkedBytes,
  checkedGuestName,
  checkedInterface,
  checkedPath,
  checkedPattern,
  checkedShellPath,
} from '../tools/arguments.ts';
import { runContained } from '../tools/contained.ts';
import type { Host } from '../../../system/host.ts';
import { detachLoop, listLoopDevices } from '../tools/loop.ts';
import { tail, ToolError } from '../../../system/run.ts';
import { defined } from '../../../contract/defined.ts';

export { makeGolden } from './mmdebstrap.ts';

/** What xen-create-image is told. Every path goes through xen-tools' shell: plain characters only. */
export interface ImageSettings extends GuestNetwork {
  readonly name: string;
  readonly broadcast: string;
  readonly nameserver?: string;
  readonly memoryMiB: number;
  readonly vcpus: number;
  readonly diskMiB: number;
  /** 0: no swap. */
  readonly swapMiB: number;
  readonly fs: 'ext4' | 'ext3';
  /** Mount options of the root file system. */
  readonly fsOptions: string;
  readonly image: 'sparse' | 'full';
  readonly dist: string;
  /** A root tarball. Default: debootstrap. */
  readonly goldenTarball?: string;
  /** What debootstrap, and later the guest's own apt, get packages from. Default: the dom0's xen-tools.conf. */
  readonly mirror?: string;
  readonly kernel: string;
  readonly initrd: string;
  /** Folder of kernel modules for the guest. Default: xen-tools copies those of the dom0's kernel. */
  readonly modules?: string;
  readonly serialDevice: string;
  /** A directory that only guestflow uses. It gets `domains/<name>/{disk,swap}.img`, `<name>.cfg`, and `tmp` for mount points. */
  readonly directory: string;
  /** Where our role `guestflow` is. */
  readonly roleDir: string;
  /** See `role-input.ts`. */
  readonly roleInput: string;
  /** Name of the operator's own role in `/etc/xen-tools/role.d`, run before ours. */
  readonly role?: string;
}

/** Where the operator's roles are. */
export const ROLE_DIRECTORY = '/etc/xen-tools/role.d';

const IMAGE_LIMIT_MS = 60 * 60 * 1000;

function megabytes(what: string, count: number): string {
  return `${String(checkedBytes(what, count))}M`;
}

function source(settings: ImageSettings): string[] {
  if (settings.goldenTarball === undefined) return ['--install-method=debootstrap'];
  return ['--install-method=tar', `--install-source=${checkedShellPath('golden', settings.goldenTarball)}`];
}

function networking({ nameserver, ...network }: ImageSettings): string[] {
  return [
    `--ip=${checkedAddress('ip', network.ip)}`,
    `--netmask=${checkedAddress('netmask', network.netmask)}`,
    `--gateway=${checkedAddress('gateway', network.gateway)}`,
    `--broadcast=${checkedAddress('broadcast', network.broadcast)}`,
    `--bridge=${checkedInterface('bridge', network.bridge)}`,
    `--mac=${checkedPattern('mac', checkedBy('mac', network.mac, whyNotMac), MAC_PATTERN, 'a MAC in capitals with colons is needed')}`,
    ...(nameserver === undefined ? [] : [`--nameserver=${checkedAddress('nameserver', nameserver)}`]),
  ];
}

function roles({ role, roleDir, roleInput }: ImageSettings): string[] {
  const own = `${checkedShellPath('role directory', roleDir)}/guestflow`;
  const all = role === undefined ? own : `${checkedBy('role', role, whyNotRole)},${own}`;
  // Ours runs last, so that no other role can undo what it guarantees.
  return [`--roledir=${ROLE_DIRECTORY}`, `--role=${all}`, `--role-args=${checkedShellPath('role input', roleInput)}`];
}

/**
 * Options that are always given. Without `--keep`, xen-tools runs xen-delete-image after a failure, which removes /etc/xen/<name>.cfg and its
 * autostart link, whoever made them. Options like `--nodhcp` are missing on purpose: xen-tools passes them to its hooks as "0", and the hooks
 * take any value for yes.
 */
const FIXED = ['--nohosts', '--noaccounts', '--noboot', '--noforce', '--keep', '--genpass=0', '--nopasswd'] as const;

/** The arguments of xen-create-image. Each is checked, because xen-tools builds shell commands from them. */
export function imageArguments(settings: ImageSettings): string[] {
  const { dist, mirror, modules } = settings;
  return [
    `--hostname=${checkedGuestName(settings.name)}`,
    `--dir=${checkedShellPath('image directory', settings.directory)}`,
    `--output=${settings.directory}`,
    '--extension=.cfg',
    `--config=${checkedShellPath('role input', settings.roleInput)}/xen-tools.conf`,
    // xen-tools takes the name for a directory of hooks, and has none for releases after its own.
    `--dist=${distributionOf(checkedBy('dist', dist, whyNotDist))?.hooks ?? dist}`,
    ...source(settings),
    ...(mirror === undefined ? [] : [`--mirror=${checkedBy('mirror', mirror, whyNotMirrorForm)}`]),
    `--size=${megabytes('disk', settings.diskMiB)}`,
    settings.swapMiB === 0 ? '--noswap' : `--swap=${megabytes('swap', settings.swapMiB)}`,
    `--image=${settings.image}`,
    `--fs=${settings.fs}`,
    `--memory=${megabytes('memory', settings.memoryMiB)}`,
    `--vcpus=${String(checkedBytes('vcpus', settings.vcpus))}`,
    `--kernel=${checkedShellPath('kernel', settings.kernel)}`,
    `--initrd=${checkedShellPath('initrd', settings.initrd)}`,
    ...(modules === undefined ? [] : [`--modules=${checkedShellPath('modules', modules)}`]),
    `--serial_device=${checkedBy('serial device', settings.serialDevice, whyNotSerialDevice)}`,
    '--disk_device=xvda',
    ...networking(settings),
    ...FIXED,
    ...roles(settings),
  ];
}

/** Read by xen-create-image after its arguments, so it has the last word. The mount options can be said only here. */
function configFile({ fs, fsOptions }: ImageSettings): string {
  const options = checkedBy('fs options', fsOptions, whyNotFsOptions);
  return `${fs}_options = ${options}\npassword = 0\n`;
}

/** Lines that do not tell the cause of a failure: what xen-tools prints after every failure, and the files that tar has unpacked. */
const NOISE = /^(?:Aborting|See \/var\/log\/|Running command .* failed with exit code|\.\/)/;
/** If less than this is free, the full file system counts as the cause of the failure. */
const FULL_BYTES = 64 * MiB;

/** The error with its cause, taken from xen-tools' log: its output says little. If the disk is full, the log ends before the cause. */
async function explained(host: Host, { name, directory }: ImageSettings, error: ToolError): Promise<GuestflowError> {
  const log = String((await host.files.read(`/var/log/xen-tools/${name}.log`)) ?? '') || error.stdout;
  const reason = tail(
    log
      .split('\n')
      .filter((line) => !NOISE.test(line))
      .join('\n'),
  );
  const free = await host.files.freeBytes(directory).catch(() => undefined);
  const full = free !== undefined && free < FULL_BYTES ? `the file system of ${directory} is full, it has ${formatSize(free)} free: ` : '';
  return new GuestflowError('ToolFailed', `xen-create-image of ${name} failed: ${full}${reason || error.message}`);
}

/**
 * Looks whether xen-tools can run a role.
 *
 * @throws GuestflowError HostNotReady if it cannot: xen-tools would skip the role and go on
 */
export async function requireRole(host: Host, path: string, mend: string): Promise<void> {
  const found = await host.files.info(path);
  if (found?.kind === 'symlink' || (found?.kind === 'file' && (found.mode & 0o111) !== 0)) return;
  throw new GuestflowError('HostNotReady', `the role ${path} is ${found === undefined ? 'not there' : 'no executable file'}`, {
    field: 'role',
    value: path,
    mend,
  });
}

/**
 * Makes `<directory>/domains/<name>/{disk,swap}.img` and `<directory>/<name>.cfg`; root is xvda2, swap xvda1. About a minute from a
 * tarball, minutes by debootstrap; time limit one hour. What a failed run leaves in the directory is for the caller to remove.
 *
 * @param options `onOutput` gets xen-tools' messages, line by line.
 */
export async function xenCreateImage(
  host: Host,
  settings: ImageSettings,
  options: { readonly signal?: AbortSignal; readonly onOutput?: (line: string) => void } = {},
): Promise<void> {
  const args = imageArguments(settings);
  await requireRole(host, `${settings.roleDir}/guestflow`, 'install the package guestflow-dom0 again');
  if (settings.role !== undefined)
    await requireRole(host, `${ROLE_DIRECTORY}/${settings.role}`, 'put an executable role there, or leave "role" out of the order');
  const temporary = `${settings.directory}/tmp`;
  await host.files.makeDirectory(temporary, 0o700);
  await host.files.writeAtomic(`${settings.roleInput}/xen-tools.conf`, configFile(settings));
  try {
    await runContained(host, 'xen-create-image', args, {
      timeoutMs: IMAGE_LIMIT_MS,
      temporary,
      ...defined({ signal: options.signal, onLine: options.onOutput }),
    });
  } catch (error) {
    if (error instanceof ToolError && error.code !== undefined && !error.cancelled && !error.timedOut)
      throw await explained(host, settings, error);
    throw error;
  }
}

/** Mount points at or below a directory, the deepest first. */
export function mountsBelow(mountinfo: string, directory: string): string[] {
  const points = mountinfo
    .split('\n')
    .map((line) => (line.split(' ')[4] ?? '').replaceAll(/\\(\d{3})/g, (_, octal: string) => String.fromCharCode(parseInt(octal, 8))));
  return points.filter((point) => point === directory || point.startsWith(`${directory}/`)).reverse();
}

/**
 * Unmounts what is mounted below a directory of ours, and detaches loop devices on files in it. A contained run leaves none; this is for what a
 * person, or a run that was not contained, has left. Use it only for images that no tenant has ever run.
 */
export async function clearHalfMade(host: Host, directory: string): Promise<void> {
  const below = checkedPath('directory', directory);
  const mountinfo = String((await host.files.read('/proc/self/mountinfo')) ?? '');
  for (const point of mountsBelow(mountinfo, below)) await host.run('umount', ['--', point]);
  for (const loop of await listLoopDevices(host)) {
    if (loop.file.startsWith(`${below}/`)) await detachLoop(host, loop.device);
  }
}
