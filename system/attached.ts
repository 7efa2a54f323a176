/** A process that is talked with while it runs: what it reads and prints are streams, and neither is kept. */
import { basename } from 'node:path';
import type { Readable, Writable } from 'node:stream';
import { ExecaError, startProcess, toToolError, type Failure, type RunObserver, type ToolError } from './process.ts';

/** How one is run. */
export interface AttachOptions {
  /** Milliseconds until it is ended. */
  readonly timeoutMs: number;
  /** Descriptor on which it writes a byte when it is ready; it is told the number by its arguments. */
  readonly readyFd: typeof READY_FD;
}

/** A process that one is attached to. */
export interface Attached {
  /** Its standard input. Ending it tells the process that nothing more comes. */
  readonly input: Writable;
  /** Its standard output, as bytes. It is read as fast as the reader likes: the process waits. */
  readonly output: Readable;
  /** Resolves when it says that it is ready. @throws ToolError when it ends before */
  readonly ready: Promise<void>;
  /** Resolves when it has ended, however it did. */
  readonly ended: Promise<void>;
  /** Ends it: SIGTERM, and SIGKILL five seconds later. */
  end(): void;
}

/** The only descriptor beside the usual three. */
export const READY_FD = 3;

/** Of its standard error, which is kept for the error when it fails to start. */
const MAX_STDERR = 16_384;

/** Starts a process and returns at once. A tool that is not there is told by `ready`. */
export function attach(tool: string, args: readonly string[], { timeoutMs }: AttachOptions, observe: RunObserver): Attached {
  const began = performance.now();
  const child = startProcess(
    tool,
    args,
    { timeoutMs },
    {
      stdio: ['pipe', 'pipe', 'pipe', 'pipe'],
      buffer: { stdout: false, stderr: true, fd3: false },
      maxBuffer: { stderr: MAX_STDERR },
    },
  );
  // execa throws away what nobody reads, unless it was told to wait.
  child.stdout.pause();
  // What is written to a process that has ended is lost; that it has ended is told by `ended`.
  for (const stream of child.stdio) stream.on('error', () => undefined);
  const settled = child.catch((error: unknown) => {
    if (error instanceof ExecaError) return error;
    throw error;
  });
  const outcome = settled.then((end: Failure) => ({
    code: end.exitCode,
    error: toToolError(tool, args, end, { label: basename(tool), limitMs: timeoutMs }),
  }));
  const ended = outcome.then(({ code, error: { notFound, timedOut } }) => {
    const outcome = notFound ? 'not-found' : timedOut ? 'timeout' : code === 0 ? 'ok' : 'failed';
    observe({ tool, args, seconds: (performance.now() - began) / 1000, code, outcome });
  });
  return {
    input: child.stdin,
    output: child.stdout,
    ready: readyOf(child.stdio[READY_FD], outcome),
    ended,
    end: () => child.kill(),
  };
}

function readyOf(notified: Readable, outcome: Promise<{ readonly error: ToolError }>): Promise<void> {
  const ready = new Promise<void>((resolve, reject) => {
    notified.once('data', () => resolve());
    outcome.then(({ error }) => reject(error), reject);
  });
  // Whoever does not wait for it learns of the end by `ended`.
  ready.catch(() => undefined);
  return ready;
}
