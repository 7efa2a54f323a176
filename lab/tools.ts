/** The tools the lab is built and run with, and how a machine gets them. */
import { access, constants } from 'node:fs/promises';
import path from 'node:path';
import type { Runner } from '../system/run.ts';
import { proxyEnvironment } from './apt.ts';
import { LabError, messageOf } from './errors.ts';
import type { Progress } from './progress.ts';

/** A program or file, the Debian package that brings it, and what the lab does with it. */
interface Tool {
  readonly probe: string;
  readonly debian: string;
  readonly use: string;
}

const TOOLS: readonly Tool[] = [
  { probe: 'qemu-system-x86_64', debian: 'qemu-system-x86', use: "runs the lab's machine" },
  { probe: 'qemu-img', debian: 'qemu-utils', use: 'makes its disks' },
  { probe: 'mmdebstrap', debian: 'mmdebstrap', use: 'installs Debian into the dom0 and the guest' },
  { probe: '/usr/share/keyrings/debian-archive-keyring.gpg', debian: 'debian-archive-keyring', use: "checks Debian's signatures" },
  { probe: 'mke2fs', debian: 'e2fsprogs', use: "makes dom0's file system" },
  { probe: 'ssh', debian: 'openssh-client', use: 'runs commands in dom0' },
  { probe: 'zstd', debian: 'zstd', use: 'packs saved machines' },
  { probe: 'xz', debian: 'xz-utils', use: 'unpacks the kernel' },
  { probe: 'socat', debian: 'socat', use: 'leads from dom0 to the Temporal server' },
];

async function isThere(probe: string): Promise<boolean> {
  const folders = probe.startsWith('/')
    ? ['']
    : [...(process.env['PATH'] ?? '').split(':'), '/usr/local/sbin', '/usr/sbin', '/sbin', '/usr/bin', '/bin'];
  for (const folder of folders) {
    const found = await access(
      path.join(folder === '' ? '/' : folder, probe),
      probe.startsWith('/') ? constants.R_OK : constants.X_OK,
    ).then(
      () => true,
      () => false,
    );
    if (found) return true;
  }
  return false;
}

/** The tools that this machine lacks. */
export async function missingTools(): Promise<readonly Tool[]> {
  const found = await Promise.all(TOOLS.map(({ probe }) => isThere(probe)));
  return TOOLS.filter((_tool, index) => found[index] !== true);
}

/** Whether the machine can install Debian packages. */
export async function hasApt(): Promise<boolean> {
  return await isThere('apt-get');
}

/** Installs what is missing with apt-get, after saying what and why. */
export async function installTools(runner: Runner, progress: Progress, signal?: AbortSignal): Promise<void> {
  const missing = await missingTools();
  if (missing.length === 0) return;
  const stop = progress.begin('tools', `installing ${missing.map(({ debian, use }) => `${debian} (${use})`).join(', ')}`);
  const options = {
    timeoutMs: 15 * 60_000,
    env: { ...proxyEnvironment(), DEBIAN_FRONTEND: 'noninteractive' },
    ...(signal === undefined ? {} : { signal }),
  };
  const install = ['install', '--yes', '--no-install-recommends', '--', ...missing.map(({ debian }) => debian)];
  try {
    // Lists may be absent or old: they are fetched when the first attempt fails.
    await runner.run('apt-get', install, options).catch(async (error: unknown) => {
      if (signal?.aborted === true) throw error;
      await runner.run('apt-get', ['update'], options);
      await runner.run('apt-get', install, options);
    });
  } catch (error) {
    if (signal?.aborted === true) throw error;
    throw new LabError('failed', `installing ${missing.map(({ debian }) => debian).join(' ')} with apt-get failed: ${messageOf(error)}`, {
      cause: error,
    });
  }
  stop();
}
