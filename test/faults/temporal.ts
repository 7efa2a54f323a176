/** A Temporal server of the fault tests' own: its log in a file, its database on disk, so that it can be killed and come back. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client, Connection } from '@temporalio/client';
import { DefaultLogger, NativeConnection, Runtime } from '@temporalio/worker';
import { processStartTime, stopServer } from '../../activities/host/run-server.ts';
import { startEmbeddedTemporal, type EmbeddedTemporal } from '../../worker/embedded-temporal.ts';

export interface OwnTemporal {
  readonly client: Client;
  readonly nativeConnection: NativeConnection;
  /** SIGKILL, and the same again on the same port. */
  crashAndRestart(): Promise<void>;
  stop(): Promise<void>;
}

/** Away from the ports that a person's own server has. */
const FIRST_PORT = 17_400;

function quietRuntime(): void {
  try {
    // A signal is this process's own affair.
    Runtime.install({ shutdownSignals: [], logger: new DefaultLogger('ERROR'), telemetryOptions: { logging: { filter: 'ERROR' } } });
  } catch {
    // Another test of this process has installed one.
  }
}

export async function startOwnTemporal(): Promise<OwnTemporal> {
  quietRuntime();
  const stateDir = mkdtempSync(join(tmpdir(), 'guestflow-faults-temporal-'));
  const start = async (): Promise<EmbeddedTemporal> => startEmbeddedTemporal({ stateDir, port: FIRST_PORT, uiPort: FIRST_PORT + 1_000 });
  let server = await start();
  const { address } = server;
  const connection = await Connection.connect({ address });
  const nativeConnection = await NativeConnection.connect({ address });
  return {
    client: new Client({ connection }),
    nativeConnection,
    async crashAndRestart() {
      await stopServer({ pid: server.pid, startTime: processStartTime(server.pid) ?? '' }, 0);
      server = await start();
      if (server.address !== address)
        throw new Error(`the server came back at ${server.address}, not ${address}: something has taken its port`);
    },
    async stop() {
      await nativeConnection.close();
      await connection.close();
      await server.stop();
      rmSync(stateDir, { recursive: true, force: true });
    },
  };
}
