/**
 * The only place in guestflow that starts a process (the one exception, long-lived servers, is `run-server.ts`).
 *
 * Arguments are arrays and never pass through a shell. Time limits, cancellation, accepted exit codes, secrets on standard
 * input, the log line and the metric all live here, so that no tool's module has to think of them.
 */
import type { Readable } from 'node:stream';
import { execa, ExecaError, type Options } from 'execa';
import { formatSize, MiB } from '../contract/sizes.ts';
import { plainText } from './plain-text.ts';
import { defined } from '../contract/defined.ts';

/** How work that runs tools is ended early. */
export interface Limits {
  /** Milliseconds. */
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal;
}

/** How one process is run. */
export interface RunOptions {
  /** Written to the process's standard input, which is then closed. The way to hand over a secret. Default: no input. */
  readonly input?: string | Uint8Array | Readable;
  /** Milliseconds until the process is ended (SIGTERM, five seconds later SIGKILL). Default: 60 000. */
  readonly timeoutMs?: number;
  /** Cancels the process: it is ended, and the call rejects with a `ToolError` whose `cancelled` is true. */
  readonly signal?: AbortSignal;
  /** Exit codes that count as success. Default: `[0]`. */
  readonly okCodes?: readonly number[];
  /** Called for each piece of output as it comes, for progress. Progress bars that end in `\r` arrive as pieces, too. */
  readonly onOutput?: (text: string, stream: 'stdout' | 'stderr') => void;
  /** Bytes that each stream may bring. A process that prints more is ended, and that is an error (`tooMuch`). Default: 8 MiB. */
  readonly maxOutput?: number;
  /** Added to a minimal environment (`PATH`, `LANG=C`, `HOME`). Never a secret: environments can be read. */
  readonly env?: Readonly<Record<string, string>>;
  /** Working directory. Default: `/`. */
  readonly cwd?: string;
  /** What the log line and errors call it. Default: the tool's name. */
  readonly label?: string;
}

/** What a process left behind when it ended with an accepted exit code. */
export interface RunResult {
  readonly code: number;
  /** Standard output as text; bytes that are no UTF-8 become U+FFFD. */
  readonly stdout: string;
  readonly stderr: string;
  readonly seconds: number;
}

/** One process of a pipeline: its output is the next one's input. */
export interface PipelineStage {
  readonly tool: string;
  readonly args: readonly string[];
  /** Exit codes that count as success. Default: `[0]`. */
  readonly okCodes?: readonly number[];
}

/** What a pipeline left behind: the exit code and standard error of each stage, in order. */
export interface PipelineResult {
  readonly stages: readonly { readonly code: number; readonly stderr: string }[];
  readonly seconds: number;
}

/** Options of a pipeline: those of a process that make sense for several, and where the last one's output goes. */
export interface PipelineOptions extends Pick<RunOptions, 'timeoutMs' | 'signal' | 'env' | 'cwd'> {
  /** Receives the last stage's output, chunk by chunk, in order; awaiting it is the back-pressure. */
  readonly sink: (chunk: Uint8Array) => Promise<void> | void;
  /** Called for each piece of standard error of any stage. */
  readonly onStderr?: (text: string, stage: number) => void;
}

/** Starts processes. Implemented by the real runner below and by the fake dom0's. */
export interface Runner {
  run(tool: string, args: readonly string[], options?: RunOptions): Promise<RunResult>;
  /** Runs the stages at once, each one's output joined to the next one's input; checks each exit code. */
  pipeline(stages: readonly PipelineStage[], options: PipelineOptions): Promise<PipelineResult>;
}

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

const DEFAULT_TIMEOUT_MS = 60_000;
/** A worker has 64 MB of heap, and an error needs several times the size of its output. */
const MAX_OUTPUT = 8 * MiB;
/** Standard error of a stage of a pipeline: messages. What a tenant has on a disk can make a tool say many. */
const MAX_STDERR = MiB;

/** The last `count` lines of what a tool printed, for error messages. Much of it is a tenant's: the label of a file system, an answer of a guest. */
export function tail(text: string, count = 5): string {
  const lines = text
    .trimEnd()
    .split(/\r?\n|\r/)
    .filter((line) => line.trim() !== '')
    .slice(-count);
  return plainText(lines.join('\n'));
}

function environment(extra: Readonly<Record<string, string>> | undefined): Record<string, string> {
  const path = process.env['PATH'] ?? '/usr/local/bin:/usr/bin:/bin';
  // Tools that an administrator runs live in sbin, which a user's PATH may lack.
  return { PATH: `${path}:/usr/local/sbin:/usr/sbin:/sbin`, LANG: 'C', LC_ALL: 'C', HOME: process.env['HOME'] ?? '/root', ...extra };
}

/** What is used of an ExecaError, whatever options it was made with. */
type Failure = Pick<ExecaError, 'code' | 'exitCode' | 'signal' | 'isCanceled' | 'timedOut'> & {
  readonly stdout?: unknown;
  readonly stderr?: unknown;
};

/** execa types its output by options that TypeScript cannot follow through a spread. */
function asText(output: unknown): string {
  return typeof output === 'string' ? output : '';
}

/** Ends a process as soon as one of these streams of it has brought more than it may. Told whether that has happened. */
function bounded(child: { kill(): boolean }, streams: readonly Readable[], maxOutput: number): () => boolean {
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
}

function toToolError(tool: string, args: readonly string[], error: Failure, { label, limitMs, tooMuch }: Ended): ToolError {
  const notFound = error.code === 'ENOENT';
  const stderr = asText(error.stderr);
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

function outcomeOf(error: ToolError): 'failed' | 'timeout' | 'cancelled' | 'not-found' {
  if (error.notFound) return 'not-found';
  if (error.cancelled) return 'cancelled';
  return error.timedOut ? 'timeout' : 'failed';
}

const fixed = {
  reject: true,
  extendEnv: false,
  forceKillAfterDelay: 5_000,
  stripFinalNewline: false,
  windowsHide: true,
} as const satisfies Options;

/**
 * The real runner.
 *
 * @param observe told of each process that ended.
 */
export function createRunner(observe: RunObserver = () => undefined): Runner {
  async function run(tool: string, args: readonly string[], options: RunOptions = {}): Promise<RunResult> {
    const started = performance.now();
    const limitMs = options.timeoutMs ?? DEFAULT_TIMEOUT_MS;
    const seconds = (): number => (performance.now() - started) / 1000;
    const okCodes = options.okCodes ?? [0];
    const maxOutput = options.maxOutput ?? MAX_OUTPUT;
    let isTooMuch = (): boolean => false;
    const failed = (error: Failure): ToolError => {
      const limits = { label: options.label ?? tool, limitMs, ...(isTooMuch() ? { tooMuch: maxOutput } : {}) };
      const wrapped = toToolError(tool, args, error, limits);
      observe({ tool, args, seconds: seconds(), code: wrapped.code, outcome: outcomeOf(wrapped) });
      return wrapped;
    };
    try {
      const child = execa(tool, [...args], {
        ...fixed,
        env: environment(options.env),
        cwd: options.cwd ?? '/',
        timeout: limitMs,
        maxBuffer: maxOutput,
        ...defined({ cancelSignal: options.signal }),
        ...(options.input === undefined ? { stdin: 'ignore' as const } : { input: options.input }),
      });
      isTooMuch = bounded(child, [child.stdout, child.stderr], maxOutput);
      if (options.onOutput !== undefined) {
        const { onOutput } = options;
        child.stdout.on('data', (chunk: Buffer | string) => {
          onOutput(chunk.toString(), 'stdout');
        });
        child.stderr.on('data', (chunk: Buffer | string) => {
          onOutput(chunk.toString(), 'stderr');
        });
      }
      const result = await child;
      // It may have ended well before it could be ended: a report without its end is none.
      if (isTooMuch()) throw failed(result);
      observe({ tool, args, seconds: seconds(), code: 0, outcome: 'ok' });
      return { code: 0, stdout: asText(result.stdout), stderr: asText(result.stderr), seconds: seconds() };
    } catch (error) {
      if (!(error instanceof ExecaError)) throw error;
      if (error.exitCode !== undefined && !error.timedOut && !error.isCanceled && !isTooMuch() && okCodes.includes(error.exitCode)) {
        observe({ tool, args, seconds: seconds(), code: error.exitCode, outcome: 'ok' });
        return { code: error.exitCode, stdout: asText(error.stdout), stderr: asText(error.stderr), seconds: seconds() };
      }
      throw failed(error);
    }
  }

  async function pipeline(stages: readonly PipelineStage[], options: PipelineOptions): Promise<PipelineResult> {
    const started = performance.now();
    const limitMs = options.timeoutMs ?? DEFAULT_TIMEOUT_MS;
    const children = stages.map((stage, index) =>
      execa(stage.tool, [...stage.args], {
        ...fixed,
        env: environment(options.env),
        cwd: options.cwd ?? '/',
        timeout: limitMs,
        buffer: { stdout: false, stderr: true },
        maxBuffer: MAX_STDERR,
        encoding: 'utf8',
        stdin: index === 0 ? 'ignore' : 'pipe',
        ...defined({ cancelSignal: options.signal }),
      }),
    );
    const tooMuch = children.map((child) => bounded(child, [child.stderr], MAX_STDERR));
    children.forEach((child, index) => {
      if (options.onStderr !== undefined) {
        const { onStderr } = options;
        child.stderr.on('data', (chunk: Buffer | string) => {
          onStderr(chunk.toString(), index);
        });
      }
      const next = children[index + 1];
      if (next?.stdin) {
        // A stage may end before its input does (restore that only lists): the rest is read and dropped, or its writer would wait for
        // ever. Whether that end was a good one, its exit code says.
        const output = child.stdout;
        const drop = (): void => {
          output.unpipe();
          output.resume();
        };
        next.stdin.on('error', drop).on('close', drop);
        output.pipe(next.stdin);
      }
    });
    const last = children.at(-1);
    const drained = (async () => {
      if (!last?.stdout) return;
      for await (const chunk of last.stdout) await options.sink(chunk as Uint8Array);
    })();
    // A sink that fails (disk full) must end the writers, or they would wait for ever.
    const sinkOutcome = drained.then(
      () => undefined,
      (error: unknown) => {
        for (const child of children) child.kill();
        return error;
      },
    );
    const settled = await Promise.allSettled(children);
    const sinkError = await sinkOutcome;
    const seconds = (performance.now() - started) / 1000;
    const failures: { error: ToolError; index: number }[] = [];
    const results = settled.map((outcome, index) => {
      const stage = stages[index];
      if (stage === undefined) throw new Error('pipeline stage without a description');
      const isTooMuch = tooMuch[index]?.() === true;
      if (outcome.status === 'fulfilled' && !isTooMuch) return { code: 0, stderr: asText(outcome.value.stderr) };
      const ended: unknown = outcome.status === 'fulfilled' ? outcome.value : outcome.reason;
      if (outcome.status === 'rejected' && !(ended instanceof ExecaError)) throw ended;
      const failure = ended as Failure;
      const code = failure.exitCode;
      if (code !== undefined && (stage.okCodes ?? [0]).includes(code) && !failure.isCanceled && !isTooMuch)
        return { code, stderr: asText(failure.stderr) };
      const limits = { label: stage.tool, limitMs, ...(isTooMuch ? { tooMuch: MAX_STDERR } : {}) };
      failures.push({ error: toToolError(stage.tool, stage.args, failure, limits), index });
      return { code: code ?? -1, stderr: '' };
    });
    if (sinkError !== undefined)
      throw sinkError instanceof Error ? sinkError : new Error('the sink of a pipeline failed', { cause: sinkError });
    // A later stage that died makes earlier ones die of EPIPE: the last failure is the cause, unless something was cancelled.
    const cause = failures.find((failure) => failure.error.cancelled) ?? failures.at(-1);
    stages.forEach((stage, index) => {
      observe({
        tool: stage.tool,
        args: stage.args,
        seconds,
        code: results[index]?.code,
        outcome: failures.some((failure) => failure.index === index) ? 'failed' : 'ok',
      });
    });
    if (cause !== undefined) throw cause.error;
    return { stages: results, seconds };
  }

  return { run, pipeline };
}
