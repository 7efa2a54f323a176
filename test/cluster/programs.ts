/** Finds the programs of a cluster: Temporal's server and its schema tool, built once by Go; PostgreSQL; Temporal's command line. */
import { access, constants, mkdir, readdir, rename } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { machineLock } from '../../system/machine-lock.ts';
import { createRunner } from '../../system/run.ts';
import { defaultCacheDir } from '../../worker/cache-dir.ts';
import { findTemporalBinary } from '../../worker/temporal-binary.ts';

/** The server's version in docker-compose.yml; a test holds the two together. */
export const SERVER_VERSION = '1.32.0';

/** Paths of what a cluster is made of. */
export interface Programs {
  readonly server: string;
  /** Has `temporal-sql-tool`, which `schema.sh` calls. */
  readonly tools: string;
  /** The command line, which `namespace.sh` calls. */
  readonly temporal: string;
  /** Folder of PostgreSQL's programs. */
  readonly postgres: string;
}

const MODULE = 'go.temporal.io/server';
/** What Go calls them, and what everybody else does. */
const BUILT = { server: 'temporal-server', sql: 'temporal-sql-tool' } as const;
const BUILD_LIMIT_MS = 60 * 60_000;

async function isProgram(path: string): Promise<boolean> {
  return access(path, constants.X_OK).then(
    () => true,
    () => false,
  );
}

async function firstWith(name: string, folders: readonly string[]): Promise<string | undefined> {
  for (const folder of folders) if (await isProgram(join(folder, name))) return folder;
  return undefined;
}

function foldersOfPath(): string[] {
  return (process.env['PATH'] ?? '').split(delimiter).filter((folder) => folder.startsWith('/'));
}

/** Debian keeps PostgreSQL's own programs out of PATH; the newest version is taken. */
async function findPostgres(): Promise<string> {
  const root = '/usr/lib/postgresql';
  const versions = (await readdir(root).catch(() => [])).sort((one, other) => Number(other) - Number(one));
  const folder = await firstWith('initdb', [...versions.map((version) => join(root, version, 'bin')), ...foldersOfPath()]);
  if (folder === undefined) throw new Error('PostgreSQL is not installed: apt-get install postgresql, or put its initdb on PATH');
  return folder;
}

async function build(folder: string, say: (text: string) => void): Promise<void> {
  const go = await firstWith('go', [...foldersOfPath(), '/usr/local/go/bin']);
  if (go === undefined)
    throw new Error(
      `Temporal server ${SERVER_VERSION} is built by Go, which is not here: install Go (https://go.dev/dl/) to /usr/local/go or put it on PATH, or put temporal-server and temporal-sql-tool ${SERVER_VERSION} into ${folder}`,
    );
  say(`building Temporal server ${SERVER_VERSION} (once; some ten minutes)`);
  await mkdir(folder, { recursive: true });
  const packages = ['cmd/server', 'cmd/tools/sql'].map((name) => `${MODULE}/${name}@v${SERVER_VERSION}`);
  await createRunner().run(join(go, 'go'), ['install', '--', ...packages], {
    timeoutMs: BUILD_LIMIT_MS,
    isInBackground: true,
    label: 'go install of the Temporal server',
    // One package at a time: others want the machine, too.
    env: { GOBIN: folder, GOFLAGS: '-p=1', CGO_ENABLED: '0', ...proxies() },
  });
  for (const [built, name] of Object.entries(BUILT)) await rename(join(folder, built), join(folder, name));
}

/** Where this machine has its modules from. */
function proxies(): Record<string, string> {
  const names = ['GOPROXY', 'GONOSUMDB', 'GOSUMDB', 'HTTPS_PROXY', 'HTTP_PROXY', 'NO_PROXY', 'SSL_CERT_FILE'];
  return Object.fromEntries(names.flatMap((name) => (process.env[name] === undefined ? [] : [[name, process.env[name]]])));
}

async function ensureServer(say: (text: string) => void): Promise<string> {
  const folder = join(defaultCacheDir(), 'temporal-server', SERVER_VERSION);
  const isThere = async (): Promise<boolean> =>
    (await Promise.all(Object.values(BUILT).map((name) => isProgram(join(folder, name))))).every(Boolean);
  if (await isThere()) return folder;
  const lock = await machineLock(`build/${folder}`, BUILD_LIMIT_MS);
  try {
    if (!(await isThere())) await build(folder, say);
  } finally {
    await lock?.release();
  }
  return folder;
}

/**
 * Finds all of them, and builds the server when it is not in the cache.
 *
 * @throws Error that says what is missing, and what to do
 */
export async function findPrograms(say: (text: string) => void): Promise<Programs> {
  const postgres = await findPostgres();
  const temporal = (await findTemporalBinary({ cacheDir: defaultCacheDir(), onProgress: say })).path;
  const folder = await ensureServer(say);
  return { server: join(folder, BUILT.server), tools: folder, temporal, postgres };
}
