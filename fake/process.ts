/** What single processes and pipelines of the fake have in common: how they take time, are stopped half-way, and end. */
import { setImmediate as tick, setTimeout as sleep } from 'node:timers/promises';
import { ToolError, tail, type RunOptions } from '../system/run.ts';
import type { FakeCall, FaultRule, WorkingPlan } from './faults.ts';
import type { WorkerLife } from './life.ts';
import type { Machine } from './machine.ts';
import type { Progress, ToolOutput } from './tool.ts';

const DEFAULT_TIMEOUT_MS = 60_000;

/** What the runner of one worker process stands on. */
export interface RunnerParts {
  readonly machine: Machine;
  readonly plan: WorkingPlan;
  readonly life: WorkerLife;
  /** Command lines that the fake does not know. */
  readonly unknown: string[];
  /** After each process. */
  readonly afterEach: () => void;
}

/** A process as its caller wants it. */
export interface Invoked {
  readonly tool: string;
  readonly args: readonly string[];
  readonly label: string;
  readonly okCodes: readonly number[];
  readonly timeoutMs: number;
  readonly signal: AbortSignal | undefined;
}

export interface Ending {
  readonly how: 'ended' | 'timeout' | 'cancelled' | 'not-found';
  readonly output: ToolOutput;
}

/** What a drive comes to. `half`: a rule has stopped it there. */
export type Driven<End> = { readonly how: 'ended'; readonly end: End } | { readonly how: 'half' } | { readonly how: 'cancelled' };

export function invocation(
  tool: string,
  args: readonly string[],
  options: Pick<RunOptions, 'label' | 'okCodes' | 'timeoutMs' | 'signal'>,
): Invoked {
  return {
    tool,
    args,
    label: options.label ?? tool,
    okCodes: options.okCodes ?? [0],
    timeoutMs: options.timeoutMs ?? DEFAULT_TIMEOUT_MS,
    signal: options.signal,
  };
}

/** The error that the real runner makes of such an end. */
export function toolError({ tool, args, label, timeoutMs }: Invoked, { how, output }: Ending): ToolError {
  const { stdout = '', stderr = '' } = output;
  const what = {
    'not-found': `${tool} is not installed`,
    cancelled: `${label} was cancelled`,
    timeout: `${label} did not end within ${String(timeoutMs / 1000)} s`,
    ended: `${label} ended with exit code ${String(output.code)}`,
  }[how];
  const lastWords = tail(stderr) || tail(stdout);
  return new ToolError({
    tool,
    args,
    stdout,
    stderr,
    message: lastWords === '' || how === 'not-found' ? what : `${what}: ${lastWords}`,
    code: how === 'ended' ? output.code : undefined,
    timedOut: how === 'timeout',
    cancelled: how === 'cancelled',
    notFound: how === 'not-found',
  });
}

/** What a process leaves that a rule lets fail: a code that its caller does not take for success. */
export function failure(rule: FaultRule, okCodes: readonly number[]): ToolOutput {
  const code = rule.exitCode ?? [1, 2, 4, 5, 8].find((each) => !okCodes.includes(each)) ?? 99;
  return { code, stderr: rule.stderr ?? 'injected failure\n' };
}

function endsOf(life: WorkerLife, signal: AbortSignal | undefined): AbortSignal {
  return AbortSignal.any([life.signal, ...(signal === undefined ? [] : [signal])]);
}

/** Waits as a process that never ends does: for its time limit, its cancellation, or its worker's end. */
export async function hang(
  { machine, life }: RunnerParts,
  { signal, timeoutMs }: Invoked,
  rule: FaultRule,
): Promise<'timeout' | 'cancelled'> {
  const limit = rule.forever === true ? 2 ** 31 - 1 : machine.options.speed === 'instant' ? 0 : timeoutMs;
  await sleep(limit, undefined, { signal: endsOf(life, signal) }).catch(() => undefined);
  return signal?.aborted === true ? 'cancelled' : 'timeout';
}

export async function pause({ machine, life }: RunnerParts, seconds: number, signal?: AbortSignal): Promise<void> {
  if (machine.options.speed === 'instant') await tick();
  else await sleep(seconds * 1000, undefined, { signal: endsOf(life, signal) }).catch(() => undefined);
}

/** Drives a tool to its end, or to what a rule, a cancellation or a kill makes of it. */
export async function drive<Step extends Progress, End>(
  parts: RunnerParts,
  work: Generator<Step, End, void>,
  {
    call,
    rule,
    signal,
    onStep,
  }: { call: FakeCall; rule: FaultRule | undefined; signal: AbortSignal | undefined; onStep: (step: Step) => Promise<void> | void },
): Promise<Driven<End>> {
  const stopsHalfway = rule?.kind === 'kill-middle' || rule?.kind === 'fail-middle';
  let done = 0;
  for (let step = work.next(); ; step = work.next()) {
    if (step.done === true) return rule?.kind === 'fail-middle' ? { how: 'half' } : { how: 'ended', end: step.value };
    await onStep(step.value);
    await pause(parts, call.seconds * Math.max(0, step.value.done - done), signal);
    await parts.life.mustLive();
    done = step.value.done;
    if (stopsHalfway && done >= 0.5) return rule.kind === 'kill-middle' ? parts.life.dieIn(call) : { how: 'half' };
    if (signal?.aborted === true) return { how: 'cancelled' };
  }
}
