/** The executable `guestflow gateway`, as a process of its own. */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { isServerAlive, startServer, type ServerProcess } from '../system/run-server.ts';
import { until } from '../system/until.ts';

const GUESTFLOW = fileURLToPath(new URL('../bin/guestflow.mjs', import.meta.url));

/**
 * Starts it, and waits until it answers. It ends with this process at the latest.
 *
 * @param args after `--listen PORT`
 * @param logFile gets what it writes
 */
export async function startGatewayProcess(port: number, args: readonly string[], logFile: string): Promise<ServerProcess> {
  const started = await startServer({
    command: process.execPath,
    args: [GUESTFLOW, 'gateway', '--listen', String(port), ...args],
    logFile,
    endsWithUs: true,
  });
  const isUp = async (): Promise<boolean> => {
    if (!isServerAlive(started)) throw new Error(`the gateway ended: ${readFileSync(logFile, 'utf8').slice(-2_000)}`);
    return answers(port);
  };
  await until(isUp, { everyMs: 50 });
  return started;
}

async function answers(port: number): Promise<boolean> {
  return fetch(`http://127.0.0.1:${port}/healthz`).then(
    ({ ok }) => ok,
    () => false,
  );
}
