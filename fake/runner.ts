/** Runs the fake's tools as the real runner runs real ones: time limits, cancellation, accepted codes, and the plan's faults. */
import type { RunOptions, RunResult, Runner } from '../system/run.ts';
import type { FakeCall, FaultRule } from './faults.ts';
import { createFakePipeline } from './pipeline.ts';
import { drive, failure, hang, invocation, pause, toolError, type Ending, type Invoked, type RunnerParts } from './process.ts';
import { TOOLS, unwrap } from './tools.ts';
import type { SimulatedTool, Simulation, ToolOutput } from './tool.ts';

const DEFAULT_SECONDS = 0.1;
const NOTHING: ToolOutput = { code: 0 };

interface Known {
  readonly tool: string;
  readonly args: readonly string[];
  readonly entry: SimulatedTool;
}

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
  const { machine, plan, life } = parts;

  const unknownLine = ({ tool, args }: Invoked): Error => {
    const line = [tool, ...args].join(' ');
    parts.unknown.push(line);
    return new Error(`fake dom0: unknown command line: ${line}`);
  };

  /** What keeps the tool from being started, or from doing anything. */
  async function beforeStart(call: FakeCall, rule: FaultRule | undefined, invoked: Invoked, { tool }: Known): Promise<Ending | undefined> {
    if (rule?.kind === 'wait') await life.guard(Promise.resolve(rule.until));
    if (rule?.kind === 'kill-before') return life.dieIn(call);
    if (invoked.signal?.aborted === true) return { how: 'cancelled', output: NOTHING };
    if (machine.conditions.missingTools.has(tool)) {
      if (tool === invoked.tool) return { how: 'not-found', output: NOTHING };
      return { how: 'ended', output: { code: 127, stderr: `setpriv: failed to execute ${tool}: No such file or directory\n` } };
    }
    if (rule?.kind === 'fail' || rule?.kind === 'fail-always') return { how: 'ended', output: failure(rule, invoked.okCodes) };
    return rule?.kind === 'hang' ? { how: await hang(parts, invoked, rule), output: NOTHING } : undefined;
  }

  /** Lets a tool do its work, as far as the rule lets it. */
  async function work(started: Simulation | ToolOutput, call: FakeCall, rule: FaultRule | undefined, options: RunOptions): Promise<Ending> {
    const printed = { stdout: '', stderr: '' };
    const print = (piece: { readonly stdout?: string; readonly stderr?: string }): void => {
      for (const stream of ['stdout', 'stderr'] as const) {
        const text = piece[stream];
        if (text === undefined || text === '') continue;
        printed[stream] += text;
        options.onOutput?.(text, stream);
      }
    };
    if (!isSimulation(started)) {
      await pause(parts, call.seconds);
      await life.mustLive();
      print(started);
      return { how: 'ended', output: { code: started.code, ...printed } };
    }
    const driven = await drive(parts, started, { call, rule, signal: options.signal, onStep: print });
    if (driven.how === 'cancelled') return { how: 'cancelled', output: { code: 0, ...printed } };
    if (driven.how === 'half') return { how: 'ended', output: { code: 1, ...printed } };
    print(driven.end);
    return { how: 'ended', output: { code: driven.end.code, ...printed } };
  }

  async function execute(call: FakeCall, invoked: Invoked, options: RunOptions): Promise<Ending> {
    const inner = unwrap(invoked.tool, invoked.args);
    const entry = inner === undefined ? undefined : TOOLS[inner.tool];
    if (inner === undefined || entry === undefined) throw unknownLine(invoked);
    const input = await textOfInput(options.input);
    const rule = plan.take(call);
    const early = await beforeStart(call, rule, invoked, { ...inner, entry });
    if (early !== undefined) return early;
    call.seconds = entry.seconds?.(inner.args) ?? DEFAULT_SECONDS;
    const started = entry.start({ machine, tool: inner.tool, args: inner.args, input });
    if (started === undefined) throw unknownLine(invoked);
    const ending = await work(started, call, rule, options);
    if (rule === undefined || rule.kind === 'wait' || ending.how === 'cancelled') return ending;
    if (rule.kind === 'kill-middle' || rule.kind === 'kill-after') return life.dieIn(call);
    if (rule.kind === 'hang-after') return { how: await hang(parts, invoked, rule), output: ending.output };
    return { how: 'ended', output: failure(rule, invoked.okCodes) };
  }

  return {
    async run(tool: string, args: readonly string[], options: RunOptions = {}): Promise<RunResult> {
      await life.mustLive();
      const call = plan.record('process', tool, args, unwrap(tool, args)?.tool);
      const invoked = invocation(tool, args, options);
      const ending = await life.guard(execute(call, invoked, options));
      parts.afterEach();
      const isOk = ending.how === 'ended' && invoked.okCodes.includes(ending.output.code);
      call.outcome = isOk ? 'ok' : ending.how === 'timeout' || ending.how === 'cancelled' ? ending.how : 'failed';
      if (!isOk) throw toolError(invoked, ending);
      return { code: ending.output.code, stdout: ending.output.stdout ?? '', stderr: ending.output.stderr ?? '', seconds: call.seconds };
    },
    pipeline: createFakePipeline(parts),
  };
}
