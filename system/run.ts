/**
 * The runner: how everybody has processes run, alone or in a row (`pipeline.ts`).
 *
 * Time limits, cancellation, accepted exit codes, secrets on standard input, the log line and the metric all live here, so that no tool's module has to
 * think of them.
 */
import type { Readable } from 'node:stream';
import { MiB } from '../contract/sizes.ts';
import { runPipeline, type PipelineOptions, type PipelineResult, type PipelineStage } from './pipeline.ts';
import {
  asText,
  bounded,
  DEFAULT_TIMEOUT_MS,
  ExecaError,
  startProcess,
  tail,
  ToolError,
  toToolError,
  type Failure,
  type Limits,
  type ProcessOptions,
  type RunObserver,
} from './process.ts';

export { tail, ToolError, type Limits, type PipelineOptions, type PipelineResult, type PipelineStage, type RunObserver };

/** How one process is run. */
export interface RunOptions extends ProcessOptions {
  /** Written to the process's standard input, which is then closed. The way to hand over a secret. Default: no input. */
  readonly input?: string | Uint8Array | Readable;
  /** Exit codes that count as success. Default: `[0]`. */
  readonly okCodes?: readonly number[];
  /** Called for each piece of output as it comes, for progress. Progress bars that end in `\r` arrive as pieces, too. */
  readonly onOutput?: (text: string, stream: 'stdout' | 'stderr') => void;
  /** Bytes that each stream may bring. A process that prints more is ended, and that is an error (`tooMuch`). Default: 8 MiB. */
  readonly maxOutput?: number;
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

/** Starts processes. Implemented by the real runner below and by the fake dom0's. */
export interface Runner {
  run(tool: string, args: readonly string[], options?: RunOptions): Promise<RunResult>;
  /** Runs the stages at once, each one's output joined to the next one's input; checks each exit code. */
  pipeline(stages: readonly PipelineStage[], options: PipelineOptions): Promise<PipelineResult>;
}

/** A worker has 64 MB of heap, and an error needs several times the size of its output. */
const MAX_OUTPUT = 8 * MiB;

function outcomeOf(error: ToolError): 'failed' | 'timeout' | 'cancelled' | 'not-found' {
  if (error.notFound) return 'not-found';
  if (error.cancelled) return 'cancelled';
  return error.timedOut ? 'timeout' : 'failed';
}

function start(tool: string, args: readonly string[], options: RunOptions) {
  const child = startProcess(tool, args, options, {
    maxBuffer: options.maxOutput ?? MAX_OUTPUT,
    ...(options.input === undefined ? { stdin: 'ignore' as const } : { input: options.input }),
  });
  for (const stream of ['stdout', 'stderr'] as const)
    child[stream].on('data', (chunk: Buffer | string) => options.onOutput?.(chunk.toString(), stream));
  return child;
}

async function run(tool: string, args: readonly string[], options: RunOptions, observe: RunObserver): Promise<RunResult> {
  const started = performance.now();
  const seconds = (): number => (performance.now() - started) / 1000;
  const maxOutput = options.maxOutput ?? MAX_OUTPUT;
  let isTooMuch = (): boolean => false;
  const ended = (code: number, { stdout, stderr }: Pick<Failure, 'stdout' | 'stderr'>): RunResult => {
    observe({ tool, args, seconds: seconds(), code, outcome: 'ok' });
    return { code, stdout: asText(stdout), stderr: asText(stderr), seconds: seconds() };
  };
  const failed = (error: Failure): ToolError => {
    const limitMs = options.timeoutMs ?? DEFAULT_TIMEOUT_MS;
    const limits = { label: options.label ?? tool, limitMs, ...(isTooMuch() ? { tooMuch: maxOutput } : {}) };
    const wrapped = toToolError(tool, args, error, limits);
    observe({ tool, args, seconds: seconds(), code: wrapped.code, outcome: outcomeOf(wrapped) });
    return wrapped;
  };
  try {
    const child = start(tool, args, options);
    isTooMuch = bounded(child, [child.stdout, child.stderr], maxOutput);
    const result = await child;
    // It may have ended well before it could be ended: a report without its end is none.
    if (isTooMuch()) throw failed(result);
    return ended(0, result);
  } catch (error) {
    if (!(error instanceof ExecaError)) throw error;
    const { exitCode, timedOut, isCanceled } = error;
    const isOk = exitCode !== undefined && (options.okCodes ?? [0]).includes(exitCode);
    if (isOk && !timedOut && !isCanceled && !isTooMuch()) return ended(exitCode, error);
    throw failed(error);
  }
}

/**
 * The real runner.
 *
 * @param observe told of each process that ended.
 */
export function createRunner(observe: RunObserver = () => undefined): Runner {
  return {
    run: (tool, args, options = {}) => run(tool, args, options, observe),
    pipeline: (stages, options) => runPipeline(stages, options, observe),
  };
}
