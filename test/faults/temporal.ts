/** A Temporal server of the fault tests' own: its log in a file, its database on disk, so that it can be killed and come back. */
import { mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Client, Connection, defaultGrpcRetryOptions, makeGrpcRetryInterceptor } from '@temporalio/client';
import { DefaultLogger, NativeConnection, Runtime } from '@temporalio/worker';
import { freePort } from '../../system/ports.ts';
import { processStartTime, stopServer } from '../../system/run-server.ts';
import { until } from '../../system/until.ts';
import { startEmbeddedTemporal, type EmbeddedTemporal } from '../../worker/embedded-temporal.ts';
import { scratch } from './scratch.ts';

export interface OwnTemporal {
  readonly client: Client;
  readonly nativeConnection: NativeConnection;
  /** SIGKILL, and the same again on the same port. */
  crashAndRestart(): Promise<void>;
  stop(): Promise<void>;
}

/** Away from the ports that a person's own server has, and from those of another run: the server comes back at its port. */
const FIRST_PORT = 20_000 + (process.pid % 4_000);

function quietRuntime(): void {
  try {
    // A signal is this process's own affair.
    Runtime.install({ shutdownSignals: [], logger: new DefaultLogger('ERROR'), telemetryOptions: { logging: { filter: 'ERROR' } } });
  } catch {
    // Another test of this process has installed one.
  }
}

/** Retries as the SDK's client makes them, until the connection is to be closed: one that comes after that ends the process (SDK 1.24). */
class Retries {
  private isOver = false;
  private lastAt = 0;
  private readonly usual = defaultGrpcRetryOptions();
  readonly interceptor = makeGrpcRetryInterceptor({
    retryableDecider: (attempt, status) => !this.isOver && this.usual.retryableDecider(attempt, status),
    delayFunction: (attempt, status) => {
      const delayMs = this.usual.delayFunction(attempt, status);
      this.lastAt = Math.max(this.lastAt, performance.now() + delayMs);
      return delayMs;
    },
  });

  /** Lets those that are on their way come, and no more. */
  async end(): Promise<void> {
    this.isOver = true;
    const leftMs = this.lastAt - performance.now();
    if (leftMs > 0) await sleep(leftMs + 100);
  }
}

export async function startOwnTemporal(): Promise<OwnTemporal> {
  quietRuntime();
  const stateDir = mkdtempSync(join(scratch(), 'temporal-'));
  const start = async (port: number): Promise<EmbeddedTemporal> =>
    startEmbeddedTemporal({ stateDir, port, uiPort: FIRST_PORT + 5_000, endsWithUs: true, isDisposable: true });
  let server = await start(FIRST_PORT);
  const { address } = server;
  const retries = new Retries();
  const connection = await Connection.connect({ address, interceptors: [retries.interceptor] });
  // Between processes of one machine, compression only costs.
  const nativeConnection = await NativeConnection.connect({ address, grpcCompression: { codec: 'none' } });
  return {
    client: new Client({ connection }),
    nativeConnection,
    async crashAndRestart() {
      await stopServer({ pid: server.pid, startTime: processStartTime(server.pid) ?? '' }, 0);
      // Others may have come and gone at the first port.
      const port = Number(address.split(':').at(-1));
      // A killed process of many threads is a zombie while some of them still end, and have the port until then.
      await until(async () => (await freePort(port)) === port, { everyMs: 50, limitMs: 10_000 });
      server = await start(port);
      if (server.address !== address)
        throw new Error(`the server came back at ${server.address}, not ${address}: something has taken its port`);
    },
    async stop() {
      await nativeConnection.close();
      await retries.end();
      await connection.close();
      await server.stop();
      rmSync(stateDir, { recursive: true, force: true });
    },
  };
}
