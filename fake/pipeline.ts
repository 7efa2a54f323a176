/** Runs the fake's pipelines: a fault of one stage is a fault of the whole, reported as that stage's. */
import type { PipelineOptions, PipelineResult, PipelineStage, Runner } from '../system/run.ts';
import { startPipeline, type PipelineSimulation } from './joined.ts';
import type { FakeCall, FaultRule } from './faults.ts';
import { drive, failure, hang, invocation, toolError, type Ending, type Invoked, type RunnerParts } from './process.ts';
import { unwrap } from './tools.ts';
import type { ToolOutput } from './tool.ts';

const SECONDS = 3;

/** The stage that a rule applies to, or the first. */
interface Chosen {
  readonly rule: FaultRule | undefined;
  readonly call: FakeCall;
  readonly invoked: Invoked;
}

/** How a pipeline went: what each stage left, or what the chosen one left or how it was ended. */
type Went = readonly ToolOutput[] | Ending['how'] | ToolOutput;

class FakePipeline {
  private readonly parts: RunnerParts;
  private readonly stages: readonly PipelineStage[];
  private readonly options: PipelineOptions;
  private readonly calls: readonly FakeCall[];

  constructor(parts: RunnerParts, stages: readonly PipelineStage[], options: PipelineOptions) {
    this.parts = parts;
    this.stages = stages;
    this.options = options;
    this.calls = stages.map(({ tool, args }) => parts.plan.record('process', tool, args, unwrap(tool, args)?.tool));
  }

  async run(): Promise<PipelineResult> {
    const chosen = this.choose();
    const missing = this.stages.find(({ tool, args }) => this.parts.machine.conditions.missingTools.has(unwrap(tool, args)?.tool ?? tool));
    if (missing !== undefined) return this.end(invocationOf(missing, this.options), { how: 'not-found', output: { code: 0 } });
    return this.judge(chosen, await this.went(chosen));
  }

  private choose(): Chosen {
    const rules = this.calls.map((call) => this.parts.plan.take(call));
    const index = Math.max(
      0,
      rules.findIndex((rule) => rule !== undefined),
    );
    const [call, stage] = [this.calls[index], this.stages[index]];
    if (call === undefined || stage === undefined) throw new Error('fake dom0: a pipeline without stages');
    call.seconds = SECONDS;
    return { rule: rules[index], call, invoked: invocationOf(stage, this.options) };
  }

  private async went(chosen: Chosen): Promise<Went> {
    const { life } = this.parts;
    const work = (): Promise<Went> =>
      this.work(chosen).catch((error: unknown) => {
        this.finish('failed');
        throw error;
      });
    const went = (await life.guard(this.beforeStart(chosen))) ?? (await life.guard(work()));
    this.parts.afterEach();
    return went;
  }

  private async beforeStart({ rule, call, invoked }: Chosen): Promise<Ending['how'] | ToolOutput | undefined> {
    const { life } = this.parts;
    if (rule?.kind === 'wait') await life.guard(Promise.resolve(rule.until));
    if (rule?.kind === 'kill-before') return life.dieIn(call);
    if (invoked.signal?.aborted === true) return 'cancelled';
    if (rule?.kind === 'fail' || rule?.kind === 'fail-always') return failure(rule, invoked.okCodes);
    return rule?.kind === 'hang' ? hang(this.parts, invoked, rule) : undefined;
  }

  private async work({ rule, call, invoked }: Chosen): Promise<Went> {
    const driven = await drive(this.parts, this.started(), {
      call,
      rule,
      signal: this.options.signal,
      onStep: async ({ chunk }) => {
        if (chunk !== undefined) await this.options.sink(chunk);
      },
    });
    if (driven.how === 'cancelled') return 'cancelled';
    if (driven.how === 'ended')
      driven.end.forEach(({ stderr }, stage) => {
        if (stderr !== undefined) this.stages[stage]?.onStderr?.(stderr);
      });
    if (rule?.kind === 'kill-middle' || rule?.kind === 'kill-after') return this.parts.life.dieIn(call);
    if (rule?.kind === 'hang-after') return hang(this.parts, invoked, rule);
    if (driven.how === 'half' || rule?.kind === 'fail-after') return failure(rule ?? { match: 0, kind: 'fail' }, invoked.okCodes);
    return driven.end;
  }

  private started(): PipelineSimulation {
    const started = startPipeline(this.parts.machine, this.stages);
    if (started !== undefined) return started;
    const line = this.stages.map(({ tool, args }) => [tool, ...args].join(' ')).join(' | ');
    this.parts.unknown.push(line);
    throw new Error(`fake dom0: unknown command line: ${line}`);
  }

  private judge(chosen: Chosen, went: Went): PipelineResult {
    if (typeof went === 'string') return this.end(chosen.invoked, { how: went, output: { code: 0 } });
    if ('code' in went) return this.end(chosen.invoked, { how: 'ended', output: went });
    // As in the real runner, the last failure is the cause: earlier stages then die of a closed pipe.
    const at = went.findLastIndex((output, index) => !(this.stages[index]?.okCodes ?? [0]).includes(output.code));
    const [bad, output] = [this.stages[at], went[at]];
    if (bad !== undefined && output !== undefined) return this.end(invocationOf(bad, this.options), { how: 'ended', output });
    this.finish('ok');
    const kept = went.map(({ code, stderr = '' }, stage) => ({ code, stderr: this.stages[stage]?.onStderr === undefined ? stderr : '' }));
    return { stages: kept, seconds: SECONDS };
  }

  private end(invoked: Invoked, ending: Ending): never {
    this.finish(ending.how === 'timeout' || ending.how === 'cancelled' ? ending.how : 'failed');
    throw toolError(invoked, ending);
  }

  private finish(outcome: FakeCall['outcome']): void {
    for (const call of this.calls) if (call.outcome === 'running') call.outcome = outcome;
  }
}

export function createFakePipeline(parts: RunnerParts): Runner['pipeline'] {
  return async (stages, options) => {
    await parts.life.mustLive();
    return new FakePipeline(parts, stages, options).run();
  };
}

function invocationOf({ tool, args, okCodes }: PipelineStage, options: PipelineOptions): Invoked {
  return invocation(tool, args, { ...options, ...(okCodes === undefined ? {} : { okCodes }) });
}
