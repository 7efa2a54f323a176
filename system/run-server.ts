/**
 * Starts long-lived servers (the embedded Temporal, QEMU): processes that outlive the call, with their output in a file.
 * Everything that ends by itself is started by `run.ts`.
 */
import { spawn } from 'node:child_process';
import { closeSync, existsSync, openSync, readFileSync } from 'node:fs';
import { until } from './until.ts';

/** A server that was started, or found by its process id. */
export interface ServerProcess {
  readonly pid: number;
  /** Kernel start time of the process (clock ticks since boot): tells it from a later process with the same id. */
  readonly startTime: string;
}

/** What to start. Arguments are an array and never pass through a shell. */
export interface ServerSpec {
  readonly command: string;
  readonly args: readonly string[];
  /** Standard output and error are appended to this file (mode 0600). */
  readonly logFile: string;
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string>>;
  /** The kernel ends it (SIGKILL) when this process is gone, however it went. Default: false. Where there is no setpriv, it has no effect. */
  readonly endsWithUs?: boolean;
  /** Let it live on when this process ends (its own session). Default: false. */
  readonly detached?: boolean;
}

/** What the kernel says of a process, from its state on (proc(5): field 3): undefined when there is none of that id. */
function statOf(pid: number): string[] | undefined {
  try {
    const stat = readFileSync(`/proc/${String(pid)}/stat`, 'latin1');
    // The command name in parentheses may hold spaces; fields are counted from the last parenthesis.
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  } catch {
    return undefined;
  }
}

/** Kernel start time of a process, or undefined when there is none of that id (a zombie counts as none). */
export function processStartTime(pid: number): string | undefined {
  const stat = statOf(pid);
  // Field 20 of proc(5), the number of threads: the first of a killed process is a zombie while others still end, and ports and locks are theirs until then.
  const isGone = stat?.[0] === 'Z' && Number(stat[17]) <= 1;
  return isGone ? undefined : stat?.[19];
}

/** Process that started it, or that took it over: undefined when there is none of that id. */
export function parentOf(pid: number): number | undefined {
  const parent = statOf(pid)?.[1];
  return parent === undefined ? undefined : Number(parent);
}

const SETPRIV = '/usr/bin/setpriv';

/** setpriv becomes the server: its process id is the server's. */
function commandLine({ command, args, endsWithUs = false }: ServerSpec): readonly [string, string[]] {
  return endsWithUs && existsSync(SETPRIV) ? [SETPRIV, ['--pdeathsig', 'KILL', '--', command, ...args]] : [command, [...args]];
}

/** Starts a server and returns as soon as the process exists. Whether it serves is for the caller to find out. */
export async function startServer(spec: ServerSpec): Promise<ServerProcess> {
  const log = openSync(spec.logFile, 'a', 0o600);
  try {
    const child = spawn(...commandLine(spec), {
      cwd: spec.cwd,
      env: { PATH: process.env['PATH'] ?? '/usr/bin:/bin', HOME: process.env['HOME'] ?? '/root', LANG: 'C.UTF-8', ...spec.env },
      stdio: ['ignore', log, log],
      detached: spec.detached ?? false,
    });
    await new Promise<void>((resolve, reject) => {
      child.once('spawn', resolve);
      child.once('error', reject);
    });
    child.unref();
    const { pid } = child;
    if (pid === undefined) throw new Error(`${spec.command} did not start`);
    return { pid, startTime: processStartTime(pid) ?? '' };
  } finally {
    closeSync(log);
  }
}

/** Whether this very process still runs. */
export function isServerAlive(server: ServerProcess): boolean {
  return processStartTime(server.pid) === server.startTime;
}

/** Ends a server: SIGTERM, and SIGKILL when it is still there after `graceMs` (default 5 000). Returns when it has gone. */
export async function stopServer(server: ServerProcess, graceMs = 5_000): Promise<void> {
  const send = (signal: NodeJS.Signals): void => {
    try {
      if (isServerAlive(server)) process.kill(server.pid, signal);
    } catch {
      // It ended between the look and the signal.
    }
  };
  send('SIGTERM');
  const isGone = (): boolean => !isServerAlive(server);
  if (await until(isGone, { everyMs: 50, limitMs: graceMs })) return;
  send('SIGKILL');
  await until(isGone, { everyMs: 50 });
}
