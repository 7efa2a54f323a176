/**
 * The cluster of docker-compose.yml without containers: the same server, with the same environment, scripts and dynamic configuration, but each service
 * in processes of its own, and several of them for history and matching. Each process has an address of its own of the loopback interface.
 */
import { chmodSync, mkdirSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { createRunner } from '../../system/run.ts';
import { isServerAlive, startServer, stopServer, type ServerProcess } from '../../system/run-server.ts';
import { until } from '../../system/until.ts';
import { startDatabase, type Database } from './database.ts';
import type { Programs } from './programs.ts';

const DEPLOY = fileURLToPath(new URL('../../deploy/temporal/', import.meta.url));
const NAMESPACE = 'default';
const FRONTEND_PORT = 7_233;
const PORTS = { frontend: FRONTEND_PORT, history: 7_234, matching: 7_235, worker: 7_239 } as const;
const START_LIMIT_MS = 90_000;
const SCRIPT_LIMIT_MS = 180_000;

type Service = keyof typeof PORTS;

/** Two that are killed in turn, so that one is left; the others are one each. */
const PROCESSES: readonly Service[] = ['history', 'history', 'matching', 'matching', 'frontend', 'worker'];

/** One process of the server. */
interface Node {
  readonly service: Service;
  readonly ip: string;
  process: ServerProcess;
}

/** A cluster that runs. */
export interface Cluster {
  /** Of the frontend. */
  readonly address: string;
  readonly namespace: string;
  readonly directory: string;
  readonly database: Database;
  /** SIGKILL of one process of the service, the first of them. Returns what starts it again. */
  kill(service: 'history' | 'matching'): Promise<() => Promise<void>>;
  stop(): Promise<void>;
}

function answers(host: string, port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host, port });
    const end = (isOpen: boolean): void => {
      socket.destroy();
      resolve(isOpen);
    };
    socket.once('connect', () => end(true));
    socket.once('error', () => end(false));
  });
}

class Running implements Cluster {
  readonly address: string;
  readonly namespace = NAMESPACE;
  readonly directory: string;
  readonly database: Database;
  private readonly programs: Programs;
  private readonly nodes: Node[] = [];

  constructor(programs: Programs, directory: string, database: Database) {
    this.programs = programs;
    this.directory = directory;
    this.database = database;
    this.address = `${this.ipOf(PROCESSES.indexOf('frontend'))}:${FRONTEND_PORT}`;
  }

  /** Clusters of two processes of this machine do not meet. */
  private ipOf(index: number): string {
    return `127.${1 + ((process.pid >> 8) % 250)}.${process.pid % 256}.${10 + index}`;
  }

  private run(service: Service, ip: string): Promise<ServerProcess> {
    return startServer({
      command: this.programs.server,
      args: ['--allow-no-auth', 'start', '--service', service],
      logFile: join(this.directory, `${service}.log`),
      cwd: this.directory,
      endsWithUs: true,
      env: {
        // As in docker-compose.yml.
        ...{ DB: 'postgres12', DB_PORT: String(this.database.port), POSTGRES_SEEDS: '127.0.0.1' },
        ...{ POSTGRES_USER: this.database.user, POSTGRES_PWD: this.database.password, BIND_ON_IP: ip },
        DYNAMIC_CONFIG_FILE_PATH: join(DEPLOY, 'dynamic-config.yaml'),
        // And what a cluster of several addresses needs besides.
        ...{ TEMPORAL_BROADCAST_ADDRESS: ip, CLUSTER_RPC_ADDRESS: this.address, LOG_LEVEL: 'warn' },
      },
    });
  }

  private async start(service: Service, ip: string): Promise<ServerProcess> {
    const started = await this.run(service, ip);
    const isUp = async (): Promise<boolean> => {
      if (!isServerAlive(started)) throw new Error(`the ${service} process ended; its log says why: ${this.directory}/${service}.log`);
      return answers(ip, PORTS[service]);
    };
    if ((await until(isUp, { everyMs: 100, limitMs: START_LIMIT_MS })) === undefined)
      throw new Error(`the ${service} process does not serve; its log says why: ${this.directory}/${service}.log`);
    return started;
  }

  /** Runs one of the scripts that compose mounts, with the tools that the container has. */
  private async script(name: string, env: Readonly<Record<string, string>>): Promise<void> {
    const tools = join(this.directory, 'tools');
    await createRunner().run('sh', [join(DEPLOY, name)], {
      timeoutMs: SCRIPT_LIMIT_MS,
      label: name,
      env: { ...env, PATH: [tools, process.env['PATH']].join(delimiter), HOME: this.directory },
    });
  }

  async comeUp(): Promise<void> {
    const tools = join(this.directory, 'tools');
    mkdirSync(tools);
    symlinkSync(join(this.programs.tools, 'temporal-sql-tool'), join(tools, 'temporal-sql-tool'));
    symlinkSync(this.programs.temporal, join(tools, 'temporal'));
    const { port, user, password } = this.database;
    const connection = { SQL_PLUGIN: 'postgres12', SQL_HOST: '127.0.0.1', SQL_PORT: String(port), SQL_USER: user, SQL_PASSWORD: password };
    // Twice, as at each start of compose.
    for (let times = 0; times < 2; times += 1) await this.script('schema.sh', connection);
    // One after the other: each writes the cluster's record into the database when it starts, and ends when another one does so at the same time.
    for (const [index, service] of PROCESSES.entries()) {
      const ip = this.ipOf(index);
      this.nodes.push({ service, ip, process: await this.start(service, ip) });
    }
    for (let times = 0; times < 2; times += 1)
      await this.script('namespace.sh', { TEMPORAL_ADDRESS: this.address, TEMPORAL_NAMESPACE: NAMESPACE, RETENTION: '720h' });
  }

  async kill(service: 'history' | 'matching'): Promise<() => Promise<void>> {
    const node = this.nodes.find((one) => one.service === service);
    if (node === undefined) throw new Error(`no ${service} process runs`);
    await stopServer(node.process, 0);
    return async () => {
      node.process = await this.start(service, node.ip);
    };
  }

  async end(): Promise<void> {
    await Promise.all(this.nodes.map((node) => stopServer(node.process, 10_000)));
    await this.database.stop();
  }

  async stop(): Promise<void> {
    await this.end();
    rmSync(this.directory, { recursive: true, force: true });
  }
}

/** Starts a cluster in a directory of its own, which goes with it. When it does not come up, the directory stays for its logs. */
export async function startCluster(programs: Programs): Promise<Cluster> {
  const directory = mkdtempSync(join(tmpdir(), 'guestflow-cluster-'));
  // The database's user must come through to its own folder, which only it can read.
  chmodSync(directory, 0o711);
  const cluster = new Running(programs, directory, await startDatabase(programs.postgres, directory));
  try {
    await cluster.comeUp();
  } catch (error) {
    await cluster.end();
    throw error;
  }
  return cluster;
}
