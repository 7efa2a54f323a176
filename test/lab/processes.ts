/** The control worker and the embedded Temporal of the lab's tests: processes of their own, so that they can be killed. */
import { readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { isServerAlive, startServer, stopServer, type ServerProcess } from '../../activities/host/run-server.ts';
import { bundleWorkflows } from '../../worker/bundle.ts';
import { startEmbeddedTemporal } from '../../worker/embedded-temporal.ts';
import { readServerRecord, type ServerRecord } from '../../worker/server-record.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));

function controlRecord(stateDir: string): string {
  return join(stateDir, 'control.json');
}

function temporalRecord(stateDir: string): Promise<ServerRecord | undefined> {
  return readServerRecord(join(stateDir, 'temporal', 'server.json'));
}

async function findControl(stateDir: string): Promise<ServerProcess | undefined> {
  const text = await readFile(controlRecord(stateDir), 'utf8').catch(() => undefined);
  return text === undefined ? undefined : (JSON.parse(text) as ServerProcess);
}

function killNow(server: ServerProcess | undefined): void {
  if (server !== undefined && isServerAlive(server)) process.kill(server.pid, 'SIGKILL');
}

/** Starts Temporal; the same files and, after a first start, the same port again. */
export async function startTemporal(stateDir: string, port: number, signal?: AbortSignal): Promise<void> {
  await startEmbeddedTemporal({ stateDir, port, uiPort: port + 1000, signal });
}

export async function startControlWorker(stateDir: string, address: string): Promise<void> {
  await bundleWorkflows();
  const server = await startServer({
    command: process.execPath,
    args: [join(ROOT, 'bin', 'guestflow.mjs'), 'worker', 'control', '--address', address],
    logFile: join(stateDir, 'control.log'),
    cwd: ROOT,
    detached: true,
  });
  await writeFile(controlRecord(stateDir), JSON.stringify(server));
}

/** As a crash of the machine that both run on. */
export async function killTemporalAndControl(stateDir: string): Promise<void> {
  killNow(await findControl(stateDir));
  killNow(await temporalRecord(stateDir));
}

/** Ends both, whoever started them. */
export async function stopTemporalAndControl(stateDir: string): Promise<void> {
  for (const server of [await findControl(stateDir), await temporalRecord(stateDir)]) {
    if (server !== undefined) await stopServer(server);
  }
  await rm(controlRecord(stateDir), { force: true });
}
