/** A PostgreSQL of its own: on a free port of the loopback interface, with a password, in a directory that goes with it. */
import { chownSync, mkdirSync, writeFileSync } from 'node:fs';
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { freePort } from '../../system/ports.ts';
import { createRunner } from '../../system/run.ts';
import { isServerAlive, startServer, stopServer, type ServerProcess } from '../../system/run-server.ts';
import { until } from '../../system/until.ts';

/** What runs it: PostgreSQL refuses root. Debian's package makes the user. */
const USER = 'postgres';
const AS_USER = ['--reuid', USER, '--regid', USER, '--init-groups'] as const;
const START_LIMIT_MS = 60_000;

/** A database server that runs. */
export interface Database {
  readonly port: number;
  readonly user: string;
  readonly password: string;
  /** SIGKILL of the server, and all of its processes; then it is started again, and recovers. */
  killAndRestart(): Promise<void>;
  stop(): Promise<void>;
}

async function idOf(flag: string): Promise<number> {
  const { stdout } = await createRunner().run('id', [flag, '--', USER]);
  return Number(stdout);
}

/**
 * Makes it and starts it.
 *
 * @param programs folder of PostgreSQL's programs
 * @param directory that the database's user can enter
 */
export async function startDatabase(programs: string, directory: string): Promise<Database> {
  const home = join(directory, 'postgres');
  mkdirSync(home, { mode: 0o700 });
  const secret = join(home, 'password');
  const password = randomBytes(24).toString('hex');
  writeFileSync(secret, password, { mode: 0o600 });
  const [uid, gid] = [await idOf('-u'), await idOf('-g')];
  for (const path of [home, secret]) chownSync(path, uid, gid);
  const data = join(home, 'data');
  const user = 'temporal';
  await createRunner().run(
    'setpriv',
    [...AS_USER, '--', join(programs, 'initdb'), '--pgdata', data, '--username', user, '--pwfile', secret, '--auth', 'scram-sha-256'],
    { timeoutMs: START_LIMIT_MS, label: 'initdb' },
  );
  const port = await freePort();
  const args = ['-D', data, '-k', home, '-h', '127.0.0.1', '-p', String(port), '-c', 'max_connections=300'];
  let running: ServerProcess;
  const start = async (): Promise<void> => {
    running = await startServer({
      command: 'setpriv',
      // The signal comes last: a change of the user takes it away.
      args: [...AS_USER, '--pdeathsig', 'KILL', '--', join(programs, 'postgres'), ...args],
      logFile: join(directory, 'postgres.log'),
    });
    await until(() => isReady(programs, home, port, running), { everyMs: 100 });
  };
  await start();
  return {
    port,
    user,
    password,
    killAndRestart: async () => {
      // Its processes see that it has gone, and end; a new one waits for that.
      await stopServer(running, 0);
      await start();
    },
    stop: () => stopServer(running, 20_000),
  };
}

async function isReady(programs: string, socket: string, port: number, server: ServerProcess): Promise<boolean> {
  if (!isServerAlive(server)) throw new Error('PostgreSQL ended; its log says why: postgres.log');
  const { code } = await createRunner().run(join(programs, 'pg_isready'), ['--host', socket, '--port', String(port)], {
    okCodes: [0, 1, 2],
  });
  return code === 0;
}
