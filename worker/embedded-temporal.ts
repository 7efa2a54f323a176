/**
 * The embedded Temporal: its development server with a database file, for one machine.
 *
 * It listens only on the loopback interface, and asks for no credentials: anyone who can run programs on this machine can use it. For more
 * than one person or machine, run a cluster and set `TEMPORAL_ADDRESS`.
 */
import { createHash } from 'node:crypto';
import { chmod, mkdir, readdir, realpath } from 'node:fs/promises';
import { join } from 'node:path';
import { GuestflowError } from '../contract/errors.ts';
import { SEARCH_ATTRIBUTES } from '../contract/names.ts';
import { isServerAlive, processStartTime, startServer, stopServer, type ServerProcess } from '../system/run-server.ts';
import { defaultCacheDir } from './cache-dir.ts';
import { machineLock } from '../system/machine-lock.ts';
import { freePort } from '../system/ports.ts';
import { awaitHealthy, endOf, whyNotStarted } from './server-health.ts';
import { readServerRecord, writeServerRecord, type ServerRecord } from './server-record.ts';
import { findTemporalBinary } from './temporal-binary.ts';
import { defined } from '../contract/defined.ts';

/** How to start it. */
export interface EmbeddedTemporalOptions {
  /** Its files go to `temporal/` in here (mode 0700). */
  readonly stateDir: string;
  /** Preferred port. Default: the one it had last time, at first 7233; the next free one when that is taken. */
  readonly port?: number | undefined;
  /** Preferred port of its web UI. Default: likewise, at first 8233. */
  readonly uiPort?: number | undefined;
  /** Where a downloaded server is kept. Default: the user's cache directory. */
  readonly cacheDir?: string | undefined;
  /** Called with a text when something takes time. */
  readonly onProgress?: ((message: string) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
  /**
   * For tests, which take a third less work with it: data may be lost if the machine loses its power, no other process can open the database, and the
   * server takes more memory. Default: false.
   */
  readonly isDisposable?: boolean | undefined;
  /**
   * Has the server start functions when nobody polls: its environment, which says where AWS is and who it is there. Such a server is always started anew.
   * Default: it starts none.
   */
  readonly workerController?: Readonly<Record<string, string>> | undefined;
  /** The server ends with this process, even if that is killed. Default: it lives on, and the next process takes it over. */
  readonly endsWithUs?: boolean | undefined;
}

/** An embedded Temporal that serves. */
export interface EmbeddedTemporal {
  /** `127.0.0.1:<port>` */
  readonly address: string;
  readonly uiUrl: string;
  readonly namespace: string;
  readonly pid: number;
  /** Another guestflow process, which still runs, has started the server: `stop()` leaves it alone then. */
  readonly attached: boolean;
  /** Whether its process runs. */
  isAlive(): boolean;
  /** Ends the server, unless it belongs to another process. Safe to call twice. */
  stop(): Promise<void>;
}

const NAMESPACE = 'default';
const START_LIMIT_MS = 60_000;

const setting = (text: string): string[] => ['--dynamic-config-value', text];

/**
 * Of a server that is one process, with a database in the same process (server 1.32).
 *
 * - It needs one partition of each task queue: by default it has four, which pass tasks on to each other.
 * - Its one shard looks for tasks in the database 20 times a second at most, a limit that spares a database of many shards. Two looks go to each step of a
 *   workflow: with it, a step takes 100 ms, however little there is to do.
 */
export const ONE_PROCESS = [
  ...['matching.numTaskqueueReadPartitions=1', 'matching.numTaskqueueWritePartitions=1'],
  ...['transfer', 'timer', 'visibility'].map((queue) => `history.${queue}ProcessorMaxPollRPS=1000`),
].flatMap(setting);

/**
 * Of a server whose database nobody needs after a power cut, and nobody takes up again: it need not read its search attributes anew at each use. A
 * database that a later version takes up may get more of them.
 */
export const DISPOSABLE = {
  database: ['locking_mode=EXCLUSIVE', 'synchronous=OFF'].flatMap((pragma) => ['--sqlite-pragma', pragma]),
  settings: setting('system.forceSearchAttributesCacheRefreshOnRead=false'),
  env: { GOGC: '400' },
} as const;

/** Of a server that starts functions: both lists are empty by default. */
const WORKER_CONTROLLER = [
  'workercontroller.enabled=true',
  'workercontroller.compute_providers.enabled=["aws-lambda"]',
  'workercontroller.scaling_algorithms.enabled=["no-sync"]',
].flatMap(setting);

interface Files {
  readonly directory: string;
  readonly database: string;
  readonly log: string;
  readonly record: string;
}

/**
 * Starts the embedded Temporal, or joins the one that runs on the same state directory.
 *
 * A server whose starter was killed is taken over: `stop()` then ends it.
 * @throws GuestflowError `Unreachable` when it does not start, with the reason; `HostNotReady` when there is no binary.
 */
export async function startEmbeddedTemporal(options: EmbeddedTemporalOptions): Promise<EmbeddedTemporal> {
  const files = await prepareFiles(options.stateDir);
  const name = createHash('sha256')
    .update(await realpath(files.directory))
    .digest('hex')
    .slice(0, 16);
  const lock = await machineLock(`temporal/${name}`, START_LIMIT_MS * 2, options.signal);
  if (lock === undefined)
    throw new GuestflowError(
      'Unreachable',
      `Another process has been starting the embedded Temporal in ${options.stateDir} for two minutes.`,
    );
  try {
    const last = await readServerRecord(files.record);
    return (last && (await rejoin(last, files, options))) ?? (await start(last, files, options));
  } finally {
    await lock.release();
  }
}

async function prepareFiles(stateDir: string): Promise<Files> {
  const directory = join(stateDir, 'temporal');
  await mkdir(directory, { recursive: true, mode: 0o700 });
  await chmod(directory, 0o700);
  return {
    directory,
    database: join(directory, 'temporal.db'),
    log: join(directory, 'server.log'),
    record: join(directory, 'server.json'),
  };
}

function thisProcess(): ServerProcess {
  return { pid: process.pid, startTime: processStartTime(process.pid) ?? '' };
}

/** Joins a server that runs. If it does not serve, ends it. */
async function rejoin(last: ServerRecord, files: Files, options: EmbeddedTemporalOptions): Promise<EmbeddedTemporal | undefined> {
  if (!isServerAlive(last)) return undefined;
  const attached = last.owner.pid !== process.pid && isServerAlive(last.owner);
  if (options.workerController !== undefined) return endForAnother(last, attached, options);
  const healthy = await awaitHealthy(
    `127.0.0.1:${String(last.port)}`,
    NAMESPACE,
    () => isServerAlive(last),
    START_LIMIT_MS,
    options.signal,
  );
  if (!healthy) {
    options.onProgress?.('an embedded Temporal runs but does not answer: ending it');
    await stopServer(last, 10_000);
    return undefined;
  }
  if (!attached) await writeServerRecord(files.record, { ...last, owner: thisProcess() });
  return handle(last, attached);
}

/** A server that runs knows nothing of the functions of now. */
async function endForAnother(last: ServerRecord, attached: boolean, { stateDir, onProgress }: EmbeddedTemporalOptions): Promise<undefined> {
  if (attached)
    throw new GuestflowError('Busy', `another guestflow runs the embedded Temporal in ${stateDir}, and it starts no functions of ours`, {
      mend: 'end that one first, or name another directory by --state-dir',
    });
  onProgress?.('an embedded Temporal runs that was left over: ending it');
  await stopServer(last, 10_000);
  return undefined;
}

async function start(last: ServerRecord | undefined, files: Files, options: EmbeddedTemporalOptions): Promise<EmbeddedTemporal> {
  const binary = await findTemporalBinary({
    cacheDir: options.cacheDir ?? defaultCacheDir(),
    onProgress: options.onProgress,
    signal: options.signal,
  });
  options.onProgress?.('starting the embedded Temporal');
  const port = await freePort(options.port ?? last?.port ?? 7233);
  const uiPort = await freePort(options.uiPort ?? last?.uiPort ?? 8233, [port]);
  const logStart = await endOf(files.log);
  const isDisposable = options.isDisposable === true;
  const server = await startServer({
    command: binary.path,
    args: [
      ...serverArguments(files.database, port, uiPort),
      ...(isDisposable ? [...DISPOSABLE.database, ...DISPOSABLE.settings] : []),
      ...(options.workerController === undefined ? [] : WORKER_CONTROLLER),
    ],
    logFile: files.log,
    cwd: files.directory,
    // In a session of its own, so that Ctrl-C in the terminal does not reach it: what runs can finish before we end the server.
    detached: true,
    env: { ...(isDisposable ? DISPOSABLE.env : {}), ...options.workerController },
    ...defined({ endsWithUs: options.endsWithUs }),
  });
  try {
    // Written before it serves, so that after a crash the next process can end a half-started server.
    await writeServerRecord(files.record, { ...server, port, uiPort, owner: thisProcess() });
    const address = `127.0.0.1:${String(port)}`;
    if (!(await awaitHealthy(address, NAMESPACE, () => isServerAlive(server), START_LIMIT_MS, options.signal))) {
      throw await whyNotStarted(files.log, logStart, files.database);
    }
    await protectDatabase(files.directory);
    return handle({ ...server, port, uiPort, owner: thisProcess() }, false);
  } catch (error) {
    await stopServer(server, 2_000);
    throw error;
  }
}

function serverArguments(database: string, port: number, uiPort: number): string[] {
  return [
    ...['server', 'start-dev', '--ip', '127.0.0.1', '--port', String(port), '--ui-port', String(uiPort), '--db-filename', database],
    ...['--namespace', NAMESPACE, '--ui-disable-news-fetch', '--log-level', 'error'],
    ...ONE_PROCESS,
    ...Object.values(SEARCH_ATTRIBUTES).flatMap((name) => ['--search-attribute', `${name}=Keyword`]),
  ];
}

/** Makes the files private, too. Their directory is private already, but somebody may copy the files with their modes. */
async function protectDatabase(directory: string): Promise<void> {
  const names = (await readdir(directory)).filter((name) => name.startsWith('temporal.db'));
  await Promise.all(names.map((name) => chmod(join(directory, name), 0o600).catch(() => undefined)));
}

function handle(record: ServerRecord, attached: boolean): EmbeddedTemporal {
  return {
    address: `127.0.0.1:${String(record.port)}`,
    uiUrl: `http://127.0.0.1:${String(record.uiPort)}`,
    namespace: NAMESPACE,
    pid: record.pid,
    attached,
    isAlive: () => isServerAlive(record),
    stop: async () => {
      if (!attached) await stopServer(record, 15_000);
    },
  };
}
