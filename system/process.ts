/**
 * The only place in guestflow that starts processes that end by themselves, and what is the same for each of them, alone (`run.ts`) or in a row
 * (`pipeline.ts`): its environment, its bounds, its failure. Long-lived servers: `run-server.ts`.
 */
import type { Readable } from 'node:stream';
import { execa, ExecaError, type Options } from 'execa';
import { defined } from '../contract/defined.ts';
import { formatSize } from '../contract/sizes.ts';
import { plainText } from './plain-text.ts';

export { ExecaError };

/** How work that runs tools is ended early. */
export interface Limits {
  /** Milliseconds. */
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal;
}

/** How a process is run, be it alone or in a row. */
export interface ProcessOptions {
  /** Milliseconds until the process is ended (SIGTERM, five seconds later SIGKILL). Default: 60 000. */
  readonly timeoutMs?: number;
  /** Cancels the process: it is ended, and the call rejects with a `ToolError` whose `cancelled` is true. */
  readonly signal?: AbortSignal;
  /** Added to a minimal environment (`PATH`, `LANG=C`, `HOME`). Never a secret: environments can be read. */
  readonly env?: Readonly<Record<string, string>>;
  /** Working directory. Default: `/`. */
  readonly cwd?: string;
  /** It gets the processors and the disks that nobody else wants (nice 19, I/O class idle). Default: as this process does. */
  readonly isInBackground?: true;
}

/** Before a tool and its arguments. Both become the tool, so that it is ended by a signal as ever. */
const BACKGROUND = ['nice', '-n', '19', 'ionice', '-c', '3'] as const;

/** What ionice says in place of a tool that is not there. */
const NO_TOOL = /^ionice: failed to execute .*: No such file or directory/;

/** A process that could not be started, ran into its time limit, was cancelled, or ended with an exit code that is no success. */
export class ToolError extends Error {
  readonly tool: string;
  readonly args: readonly string[];
  /** Exit code; undefined when the process did not end by itself. */
  readonly code: number | undefined;
  readonly stdout: string;
  readonly stderr: string;
  readonly timedOut: boolean;
  readonly cancelled: boolean;
  /** The tool is not installed. */
  readonly notFound: boolean;
  /** It printed more than it may: it was ended, and what is kept of its output is the beginning. */
  readonly tooMuch: boolean;

  constructor(
    fields: Pick<ToolError, 'tool' | 'args' | 'code' | 'stdout' | 'stderr' | 'timedOut' | 'cancelled' | 'notFound'> &
      Partial<Pick<ToolError, 'tooMuch'>> & { message: string },
  ) {
    super(fields.message);
    this.name = 'ToolError';
    this.tool = fields.tool;
    this.args = fields.args;
    this.code = fields.code;
    this.stdout = fields.stdout;
    this.stderr = fields.stderr;
    this.timedOut = fields.timedOut;
    this.cancelled = fields.cancelled;
    this.notFound = fields.notFound;
    this.tooMuch = fields.tooMuch ?? false;
  }
}

/** Told of each process that ended: for the log line and the metric. Arguments hold no secrets (those go by standard input). */
export type RunObserver = (event: {
  tool: string;
  args: readonly string[];
  seconds: number;
  code: number | undefined;
  outcome: 'ok' | 'failed' | 'timeout' | 'cancelled' | 'not-found';
}) => void;

export const DEFAULT_TIMEOUT_MS = 60_000;

/** The last `count` lines of what a tool printed, for error messages. Much of it is a tenant's: the label of a file system, an answer of a guest. */
export function tail(text: string, count = 5): string {
  const lines = text
    .trimEnd()
    .split(/\r?\n|\r/)
    .filter((line) => line.trim() !== '')
    .slice(-count);
  return plainText(lines.join('\n'));
}

/** Options of execa that every process has. */
const fixed = {
  reject: true,
  extendEnv: false,
  forceKillAfterDelay: 5_000,
  stripFinalNewline: false,
  windowsHide: true,
} as const satisfies Options;

/** The minimal environment of a tool, and what is added to it. */
function environment(extra: Readonly<Record<string, string>> | undefined): Record<string, string> {
  const path = process.env['PATH'] ?? '/usr/local/bin:/usr/bin:/bin';
  // Tools that an administrator runs live in sbin, which a user's PATH may lack.
  return { PATH: `${path}:/usr/local/sbin:/usr/sbin:/sbin`, LANG: 'C', LC_ALL: 'C', HOME: process.env['HOME'] ?? '/root', ...extra };
}

/**
 * Starts a process. Its arguments are an array and never pass through a shell.
 *
 * @param own what only this process has: its streams, and how much it may print
 */
// The type follows from `own`, as execa's types say.
// eslint-disable-next-line @typescript-eslint/explicit-module-boundary-types
export function startProcess<const O extends Options>(tool: string, args: readonly string[], options: ProcessOptions, own: O) {
  const [file, ...words] = options.isInBackground === true ? [...BACKGROUND, tool, ...args] : [tool, ...args];
  return execa(file, words, {
    ...fixed,
    env: environment(options.env),
    cwd: options.cwd ?? '/',
    timeout: options.timeoutMs ?? DEFAULT_TIMEOUT_MS,
    ...defined({ cancelSignal: options.signal }),
    ...own,
  });
}

/** What is used of an ExecaError, whatever options it was made with. */
export type Failure = Pick<ExecaError, 'code' | 'exitCode' | 'signal' | 'isCanceled' | 'timedOut'> & {
  readonly stdout?: unknown;
  readonly stderr?: unknown;
};

/** execa types its output by options that TypeScript cannot follow through a spread. */
export function asText(output: unknown): string {
  return typeof output === 'string' ? output : '';
}

/** Ends a process as soon as one of these streams of it has brought more than it may. Told whether that has happened. */
export function bounded(child: { kill(): boolean }, streams: readonly Readable[], maxOutput: number): () => boolean {
  let tooMuch = false;
  for (const stream of streams) {
    let bytes = 0;
    stream.on('data', (chunk: Buffer | string) => {
      bytes += Buffer.byteLength(chunk);
      if (bytes <= maxOutput || tooMuch) return;
      tooMuch = true;
      child.kill();
    });
  }
  return () => tooMuch;
}

interface Ended {
  readonly label: string;
  readonly limitMs: number;
  /** Set when it printed more than this. */
  readonly tooMuch?: number;
  /** The end of its standard error, where execa has kept none. */
  readonly heard?: string;
}

/** The error of a process that failed, with its last words. */
export function toToolError(
  tool: string,
  args: readonly string[],
  error: Failure,
  { label, limitMs, tooMuch, heard = '' }: Ended,
): ToolError {
  const stderr = asText(error.stderr) || heard;
  const notFound = error.code === 'ENOENT' || (error.exitCode === 127 && NO_TOOL.test(stderr));
  const stdout = asText(error.stdout);
  const lastWords = tail(stderr) || tail(stdout);
  let what: string;
  if (notFound) what = `${tool} is not installed`;
  else if (error.isCanceled) what = `${label} was cancelled`;
  else if (tooMuch !== undefined) what = `${label} printed more than ${formatSize(tooMuch)} and was ended`;
  else if (error.timedOut) what = `${label} did not end within ${String(limitMs / 1000)} s`;
  else if (error.exitCode !== undefined) what = `${label} ended with exit code ${String(error.exitCode)}`;
  else what = `${label} was ended by ${error.signal ?? error.code ?? 'an unknown cause'}`;
  return new ToolError({
    tool,
    args,
    message: lastWords === '' || notFound || tooMuch !== undefined ? what : `${what}: ${lastWords}`,
    code: error.exitCode,
    stdout,
    stderr,
    timedOut: error.timedOut,
    cancelled: error.isCanceled,
    notFound,
    tooMuch: tooMuch !== undefined,
  });
}
