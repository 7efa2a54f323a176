/**
 * Processes in a row: the output of each is the input of the next one. The kernel passes it on: only what the last one prints comes through this
 * process, which could not keep up with a disk.
 */
import { closeSync } from 'node:fs';
import { MiB } from '../contract/sizes.ts';
import {
  asText,
  bounded,
  DEFAULT_TIMEOUT_MS,
  ExecaError,
  startProcess,
  toToolError,
  type Failure,
  type ProcessOptions,
  type RunObserver,
  type ToolError,
} from './process.ts';
import { openPipe, type Pipe } from './pipe.ts';

/** One process of a pipeline: its output is the next one's input. */
export interface PipelineStage {
  readonly tool: string;
  readonly args: readonly string[];
  /** Exit codes that count as success. Default: `[0]`. */
  readonly okCodes?: readonly number[];
  /** The next stage may end before this one's output does, and that is no failure of this one. Default: it is. */
  readonly mayBeCut?: true;
  /** Called for each piece of the stage's standard error, which is not kept then, and may be of any length. Default: it is kept, up to 1 MiB. */
  readonly onStderr?: (text: string) => void;
}

/** What a pipeline left behind: the exit code and standard error of each stage, in order. */
export interface PipelineResult {
  readonly stages: readonly { readonly code: number; readonly stderr: string }[];
  readonly seconds: number;
}

/** Options of a pipeline: those of a process that make sense for several, and where the last one's output goes. */
export interface PipelineOptions extends ProcessOptions {
  /** Receives the last stage's output, chunk by chunk, in order; awaiting it is the back-pressure. */
  readonly sink: (chunk: Uint8Array) => Promise<void> | void;
}

/** How much of a stage's standard error is kept: a tenant's disk can make a tool print a lot. */
const MAX_STDERR = MiB;
/** Of one that somebody listens to: for the message when it fails. */
const LAST_WORDS = 4_096;

type Child = ReturnType<typeof start>;

/** execa takes any file descriptor; its types know of those up to 9. */
type Descriptor = 3;

function start({ tool, args, onStderr }: PipelineStage, options: PipelineOptions, from: Pipe | undefined, to: Pipe | undefined) {
  return startProcess(tool, args, options, {
    buffer: { stdout: false, stderr: onStderr === undefined },
    maxBuffer: MAX_STDERR,
    encoding: 'utf8',
    stdin: (from?.readEnd as Descriptor | undefined) ?? 'ignore',
    stdout: (to?.writeEnd as Descriptor | undefined) ?? 'pipe',
  });
}

/** Starts all stages, each joined to the next one. */
async function startAll(stages: readonly PipelineStage[], options: PipelineOptions): Promise<Child[]> {
  const pipes: Pipe[] = [];
  try {
    for (const _ of stages.slice(1)) pipes.push(await openPipe());
    return stages.map((stage, index) => start(stage, options, pipes[index - 1], pipes[index]));
  } finally {
    // A reader sees the end of its input only when nobody else has the other end open.
    for (const { readEnd, writeEnd } of pipes) [readEnd, writeEnd].forEach((end) => closeSync(end));
  }
}

/** Passes the last stage's output to the sink. If the sink fails (disk full), returns its error, and ends the writers, which would wait for ever. */
async function drain(children: readonly Child[], sink: PipelineOptions['sink']): Promise<unknown> {
  try {
    const output = children.at(-1)?.stdout;
    if (output) for await (const chunk of output) await sink(chunk as Uint8Array);
    return undefined;
  } catch (error) {
    for (const child of children) child.kill();
    return error;
  }
}

/** A stage that runs, and what is known of its standard error. */
interface Running {
  readonly stage: PipelineStage;
  readonly isTooMuch: () => boolean;
  readonly lastWords: () => string;
}

function listen(child: Child, stage: PipelineStage): Running {
  const { onStderr } = stage;
  if (onStderr === undefined) return { stage, isTooMuch: bounded(child, [child.stderr], MAX_STDERR), lastWords: () => '' };
  let words = '';
  child.stderr.on('data', (chunk: Buffer | string) => {
    const text = chunk.toString();
    words = (words + text).slice(-LAST_WORDS);
    onStderr(text);
  });
  return { stage, isTooMuch: () => false, lastWords: () => words };
}

/** How a stage ended; with an error if it did not succeed. */
interface StageEnd {
  readonly code: number | undefined;
  readonly stderr: string;
  readonly error?: ToolError;
}

/** @param result execa's, or what it threw */
function judge({ stage, isTooMuch, lastWords }: Running, result: unknown, limitMs: number): StageEnd {
  const { tool, args, okCodes = [0], mayBeCut } = stage;
  if (result instanceof Error && !(result instanceof ExecaError)) throw result;
  const ended = result as Failure;
  const isCut = mayBeCut === true && ended.signal === 'SIGPIPE';
  const code = isCut ? 0 : ended.exitCode;
  const isGood = !(result instanceof Error) || (code !== undefined && okCodes.includes(code) && !ended.isCanceled);
  if (isGood && !isTooMuch()) return { code, stderr: asText(ended.stderr) };
  const error = toToolError(tool, args, ended, {
    label: tool,
    limitMs,
    heard: lastWords(),
    ...(isTooMuch() ? { tooMuch: MAX_STDERR } : {}),
  });
  return { code, stderr: '', error };
}

/**
 * Runs the stages at once; checks each exit code.
 *
 * @throws ToolError of the stage that is to blame; the sink's error when that failed
 */
export async function runPipeline(
  stages: readonly PipelineStage[],
  options: PipelineOptions,
  observe: RunObserver,
): Promise<PipelineResult> {
  const started = performance.now();
  const children = await startAll(stages, options);
  const running = children.map((child, index) => listen(child, stages[index] as PipelineStage));
  const draining = drain(children, options.sink);
  const results = await Promise.all(children.map((child): Promise<unknown> => child.catch((error: unknown) => error)));
  const sinkError = await draining;
  const seconds = (performance.now() - started) / 1000;
  const limitMs = options.timeoutMs ?? DEFAULT_TIMEOUT_MS;
  const ends = running.map((each, index) => ({ stage: each.stage, ...judge(each, results[index], limitMs) }));
  if (sinkError !== undefined)
    throw sinkError instanceof Error ? sinkError : new Error('the sink of a pipeline failed', { cause: sinkError });
  for (const { stage, code, error } of ends)
    observe({ tool: stage.tool, args: stage.args, seconds, code: error ? (code ?? -1) : code, outcome: error ? 'failed' : 'ok' });
  // A later stage that died makes earlier ones die of EPIPE: the last failure is the cause, unless something was cancelled.
  const failures = ends.map(({ error }) => error).filter((error) => error !== undefined);
  const cause = failures.find(({ cancelled }) => cancelled) ?? failures.at(-1);
  if (cause !== undefined) throw cause;
  return { stages: ends.map(({ code = -1, stderr }) => ({ code, stderr })), seconds };
}
