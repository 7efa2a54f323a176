/** Runs the fake's tools as the real runner runs real ones: time limits, cancellation, accepted codes, and the plan's faults. */
import type { RunOptions, RunResult, Runner } from '../system/run.ts';
import type { FakeCall, FaultRule } from './faults.ts';
import { createFakePipeline } from './pipeline.ts';
import { drive, failure, hang, invocation, pause, toolError, type Ending, type Invoked, type RunnerParts } from './process.ts';
import { TOOLS, unwrap } from './tools.ts';
import type { Simulation, ToolOutput } from './tool.ts';

const DEFAULT_SECONDS = 0.1;
const NOTHING: ToolOutput = { code: 0 };

async function textOfInput(input: RunOptions['input']): Promise<string> {
  if (input === undefined || typeof input === 'string') return input ?? '';
  if (input instanceof Uint8Array) return Buffer.from(input).toString('utf8');
  const chunks: Buffer[] = [];
  for await (const chunk of input) chunks.push(Buffer.from(chunk as Uint8Array));
  return Buffer.concat(chunks).toString('utf8');
}

function isSimulation(started: Simulation | ToolOutput): started is Simulation {
  return 'next' in started;
}

export function createFakeRunner(parts: RunnerParts): Runner {
  return {
    async run(tool, args, options = {}) {
      await parts.life.mustLive();
      return new FakeProcess(parts, tool, args, options).run();
    },
    pipeline: createFakePipeline(parts),
  };
}

/** One process, from its start to its end. */
class FakeProcess {
  private readonly parts: RunnerParts;
  private readonly invoked: Invoked;
  private readonly options: RunOptions;
  private readonly call: FakeCall;

  constructor(parts: RunnerParts, tool: string, args: readonly string[], options: RunOptions) {
    this.parts = parts;
    this.invoked = invocation(tool, args, options);
    this.options = options;
    this.call = parts.plan.record('process', tool, args, unwrap(tool, args)?.tool);
  }

  async run(): Promise<RunResult> {
    const { parts, invoked, call } = this;
    const ending = await parts.life.guard(this.execute());
    parts.afterEach();
    const isOk = ending.how === 'ended' && invoked.okCodes.includes(ending.output.code);
    call.outcome = isOk ? 'ok' : ending.how === 'timeout' || ending.how === 'cancelled' ? ending.how : 'failed';
    if (!isOk) throw toolError(invoked, ending);
    return { code: ending.output.code, stdout: ending.output.stdout ?? '', stderr: ending.output.stderr ?? '', seconds: call.seconds };
  }

  private async execute(): Promise<Ending> {
    const { parts, invoked, call } = this;
    const inner = unwrap(invoked.tool, invoked.args);
    const entry = inner === undefined ? undefined : TOOLS[inner.tool];
    if (inner === undefined || entry === undefined) throw this.unknownLine();
    const input = await textOfInput(this.options.input);
    const rule = parts.plan.take(call);
    const early = await this.beforeStart(rule, inner.tool);
    if (early !== undefined) return early;
    call.seconds = entry.seconds?.(inner.args) ?? DEFAULT_SECONDS;
    const started = entry.start({ machine: parts.machine, tool: inner.tool, args: inner.args, input });
    if (started === undefined) throw this.unknownLine();
    const ending = await this.work(started, rule);
    if (rule === undefined || rule.kind === 'wait' || ending.how === 'cancelled') return ending;
    if (rule.kind === 'kill-middle' || rule.kind === 'kill-after') return parts.life.dieIn(call);
    if (rule.kind === 'hang-after') return { how: await hang(parts, invoked, rule), output: ending.output };
    return { how: 'ended', output: failure(rule, invoked.okCodes) };
  }

  private unknownLine(): Error {
    const { tool, args } = this.invoked;
    const line = [tool, ...args].join(' ');
    this.parts.unknown.push(line);
    return new Error(`fake dom0: unknown command line: ${line}`);
  }

  /** What keeps the tool from being started, or from doing anything. */
  private async beforeStart(rule: FaultRule | undefined, tool: string): Promise<Ending | undefined> {
    const { parts, invoked, call } = this;
    if (rule?.kind === 'wait') await parts.life.guard(Promise.resolve(rule.until));
    if (rule?.kind === 'kill-before') return parts.life.dieIn(call);
    if (invoked.signal?.aborted === true) return { how: 'cancelled', output: NOTHING };
    if (parts.machine.conditions.missingTools.has(tool)) {
      if (tool === invoked.tool) return { how: 'not-found', output: NOTHING };
      return { how: 'ended', output: { code: 127, stderr: `setpriv: failed to execute ${tool}: No such file or directory\n` } };
    }
    if (rule?.kind === 'fail' || rule?.kind === 'fail-always') return { how: 'ended', output: failure(rule, invoked.okCodes) };
    return rule?.kind === 'hang' ? { how: await hang(parts, invoked, rule), output: NOTHING } : undefined;
  }

  /** Lets a tool do its work, as far as the rule lets it. */
  private async work(started: Simulation | ToolOutput, rule: FaultRule | undefined): Promise<Ending> {
    const { parts, call, options } = this;
    const printed = { stdout: '', stderr: '' };
    const print = (piece: { readonly stdout?: string; readonly stderr?: string }): void => {
      for (const stream of ['stdout', 'stderr'] as const) {
        const text = piece[stream];
        if (text === undefined || text === '') continue;
        printed[stream] += text;
        options.onOutput?.(text, stream);
      }
    };
    const ended = (code: number): Ending => ({ how: 'ended', output: { code, ...printed } });
    if (!isSimulation(started)) {
      await pause(parts, call.seconds);
      await parts.life.mustLive();
      print(started);
      return ended(started.code);
    }
    const driven = await drive(parts, started, { call, rule, signal: options.signal, onStep: print });
    if (driven.how === 'cancelled') return { how: 'cancelled', output: { code: 0, ...printed } };
    if (driven.how === 'half') return ended(1);
    print(driven.end);
    return ended(driven.end.code);
  }
}
