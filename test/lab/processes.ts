/** The control worker and the embedded Temporal of the lab's tests: processes of their own, so that they can be killed. */
import { readFileSync } from 'node:fs';
import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { isServerAlive, startServer, stopServer, type ServerProcess } from '../../activities/host/run-server.ts';
import { bundleWorkflows } from '../../worker/bundle.ts';
import { startEmbeddedTemporal } from '../../worker/embedded-temporal.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));

const controlRecord = (stateDir: string): string => join(stateDir, 'control.json');
const temporalRecord = (stateDir: string): string => join(stateDir, 'temporal', 'server.json');

/** Both, as far as they run. */
function running(stateDir: string): ServerProcess[] {
  return [controlRecord(stateDir), temporalRecord(stateDir)].flatMap((file) => {
    try {
      const server = JSON.parse(readFileSync(file, 'utf8')) as ServerProcess;
      return isServerAlive(server) ? [server] : [];
    } catch {
      return [];
    }
  });
}

/** Starts Temporal; the same files and, after a first start, the same port again. */
export async function startTemporal(stateDir: string, port: number): Promise<void> {
  await startEmbeddedTemporal({ stateDir, port, uiPort: port + 1000 });
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

/** As a crash of the machine that both run on. Does not wait for anything, so that it serves at the very end of a process, too. */
export function killTemporalAndControl(stateDir: string): void {
  for (const { pid } of running(stateDir)) process.kill(pid, 'SIGKILL');
}

/** Ends both, whoever started them. */
export async function stopTemporalAndControl(stateDir: string): Promise<void> {
  for (const server of running(stateDir)) await stopServer(server);
  await rm(controlRecord(stateDir), { force: true });
}
