/** The control worker and the embedded Temporal of the lab's tests: processes of their own, so that they can be killed. */
import { readFileSync } from 'node:fs';
import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { until } from '../../system/until.ts';
import { createRunner } from '../../system/run.ts';
import { isServerAlive, startServer, stopServer, type ServerProcess } from '../../system/run-server.ts';
import { SCOPES } from '../../contract/scopes.ts';
import { freePort } from '../../system/ports.ts';
import { bundleWorkflows } from '../../worker/bundle.ts';
import { startEmbeddedTemporal } from '../../worker/embedded-temporal.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));

const controlRecord = (stateDir: string): string => join(stateDir, 'control.json');
const temporalRecord = (stateDir: string): string => join(stateDir, 'temporal', 'server.json');

/** Those of these records that run. */
function running(records: readonly string[]): ServerProcess[] {
  return records.flatMap((file) => {
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

/** The gateway, as its executable runs. */
export interface GatewayProcess {
  readonly url: string;
  /** Bearer of every scope. */
  readonly token: string;
  stop(): Promise<void>;
}

interface GatewayFiles {
  readonly stripeSecretFile: string;
  readonly plans: string;
  readonly prices: string;
  /** Made here, with one token in it. */
  readonly tokenFile: string;
}

/** Starts the gateway, and returns when it listens. */
export async function startGateway(stateDir: string, address: string, files: GatewayFiles): Promise<GatewayProcess> {
  const guestflow = join(ROOT, 'bin', 'guestflow.mjs');
  const scopes = Object.keys(SCOPES).flatMap((scope) => ['--scope', scope]);
  const made = await createRunner().run(
    process.execPath,
    [guestflow, 'gateway', 'token', 'story', ...scopes, '--file', files.tokenFile, '--json'],
    { cwd: ROOT },
  );
  const port = await freePort();
  const server = await startServer({
    command: process.execPath,
    args: [
      ...[guestflow, 'gateway', '--address', address, '--listen', `127.0.0.1:${String(port)}`],
      ...[
        '--stripe-secret-file',
        files.stripeSecretFile,
        '--token-file',
        files.tokenFile,
        '--plans',
        files.plans,
        '--prices',
        files.prices,
      ],
    ],
    logFile: join(stateDir, 'gateway.log'),
    cwd: ROOT,
  });
  const url = `http://127.0.0.1:${String(port)}`;
  const look = async (): Promise<'listens' | 'ended' | false> =>
    fetch(url).then(
      () => 'listens' as const,
      () => !isServerAlive(server) && 'ended',
    );
  if ((await until(look, { everyMs: 100 })) === 'listens')
    return { url, token: (JSON.parse(made.stdout) as { token: string }).token, stop: () => stopServer(server) };
  throw new Error(`the gateway did not start: ${readFileSync(join(stateDir, 'gateway.log'), 'utf8')}`);
}

function kill(...records: readonly string[]): void {
  for (const { pid } of running(records)) process.kill(pid, 'SIGKILL');
}

/** The control worker stays, and finds the next one at the same address. */
export function killTemporal(stateDir: string): void {
  kill(temporalRecord(stateDir));
}

export function killControlWorker(stateDir: string): void {
  kill(controlRecord(stateDir));
}

/** As a crash of the machine that both run on. Does not wait for anything, so that it serves at the very end of a process, too. */
export function killTemporalAndControl(stateDir: string): void {
  kill(controlRecord(stateDir), temporalRecord(stateDir));
}

/** Ends both, whoever started them. */
export async function stopTemporalAndControl(stateDir: string): Promise<void> {
  for (const server of running([controlRecord(stateDir), temporalRecord(stateDir)])) await stopServer(server);
  await rm(controlRecord(stateDir), { force: true });
}
