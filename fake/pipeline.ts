/** Runs the fake's pipelines: a fault of one stage is a fault of the whole, reported as that stage's. */
import type { PipelineOptions, PipelineResult, PipelineStage, Runner } from '../system/run.ts';
import { startPipeline } from './joined.ts';
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

export function createFakePipeline(parts: RunnerParts): Runner['pipeline'] {
  const { machine, plan, life } = parts;

  function choose(stages: readonly PipelineStage[], calls: readonly FakeCall[], options: PipelineOptions): Chosen {
    const rules = calls.map((call) => plan.take(call));
    const index = Math.max(
      0,
      rules.findIndex((rule) => rule !== undefined),
    );
    const [call, stage] = [calls[index], stages[index]];
    if (call === undefined || stage === undefined) throw new Error('fake dom0: a pipeline without stages');
    call.seconds = SECONDS;
    return { rule: rules[index], call, invoked: invocationOf(stage, options) };
  }

  async function beforeStart({ rule, call, invoked }: Chosen): Promise<Ending['how'] | ToolOutput | undefined> {
    if (rule?.kind === 'wait') await life.guard(Promise.resolve(rule.until));
    if (rule?.kind === 'kill-before') return life.dieIn(call);
    if (invoked.signal?.aborted === true) return 'cancelled';
    if (rule?.kind === 'fail' || rule?.kind === 'fail-always') return failure(rule, invoked.okCodes);
    return rule?.kind === 'hang' ? hang(parts, invoked, rule) : undefined;
  }

  /** The stages' outputs, or how the chosen one ended otherwise. */
  async function work(
    stages: readonly PipelineStage[],
    { rule, call, invoked }: Chosen,
    options: PipelineOptions,
  ): Promise<readonly ToolOutput[] | Ending['how'] | ToolOutput> {
    const started = startPipeline(machine, stages);
    if (started === undefined) {
      const line = stages.map(({ tool, args }) => [tool, ...args].join(' ')).join(' | ');
      parts.unknown.push(line);
      throw new Error(`fake dom0: unknown command line: ${line}`);
    }
    const driven = await drive(parts, started, {
      call,
      rule,
      signal: options.signal,
      onStep: async ({ chunk }) => {
        if (chunk !== undefined) await options.sink(chunk);
      },
    });
    if (driven.how === 'cancelled') return 'cancelled';
    if (driven.how === 'ended')
      driven.end.forEach(({ stderr }, stage) => {
        if (stderr !== undefined) stages[stage]?.onStderr?.(stderr);
      });
    if (rule?.kind === 'kill-middle' || rule?.kind === 'kill-after') return life.dieIn(call);
    if (rule?.kind === 'hang-after') return hang(parts, invoked, rule);
    if (driven.how === 'half' || rule?.kind === 'fail-after') return failure(rule ?? { match: 0, kind: 'fail' }, invoked.okCodes);
    return driven.end;
  }

  return async (stages, options): Promise<PipelineResult> => {
    await life.mustLive();
    const calls = stages.map(({ tool, args }) => plan.record('process', tool, args, unwrap(tool, args)?.tool));
    const finish = (outcome: FakeCall['outcome']): void => {
      for (const call of calls) if (call.outcome === 'running') call.outcome = outcome;
    };
    const chosen = choose(stages, calls, options);
    const throwEnding = (invoked: Invoked, ending: Ending): never => {
      finish(ending.how === 'timeout' || ending.how === 'cancelled' ? ending.how : 'failed');
      throw toolError(invoked, ending);
    };
    const missing = stages.find(({ tool, args }) => machine.conditions.missingTools.has(unwrap(tool, args)?.tool ?? tool));
    if (missing !== undefined) return throwEnding(invocationOf(missing, options), { how: 'not-found', output: { code: 0 } });
    const result =
      (await life.guard(beforeStart(chosen))) ??
      (await life.guard(
        work(stages, chosen, options).catch((error: unknown) => {
          finish('failed');
          throw error;
        }),
      ));
    parts.afterEach();
    if (typeof result === 'string') return throwEnding(chosen.invoked, { how: result, output: { code: 0 } });
    if ('code' in result) return throwEnding(chosen.invoked, { how: 'ended', output: result });
    // As in the real runner, the last failure is the cause: earlier stages then die of a closed pipe.
    const at = result.findLastIndex((output, index) => !(stages[index]?.okCodes ?? [0]).includes(output.code));
    const [bad, output] = [stages[at], result[at]];
    if (bad !== undefined && output !== undefined) return throwEnding(invocationOf(bad, options), { how: 'ended', output });
    finish('ok');
    return {
      stages: result.map(({ code, stderr = '' }, stage) => ({ code, stderr: stages[stage]?.onStderr === undefined ? stderr : '' })),
      seconds: SECONDS,
    };
  };
}

function invocationOf({ tool, args, okCodes }: PipelineStage, options: PipelineOptions): Invoked {
  return invocation(tool, args, { ...options, ...(okCodes === undefined ? {} : { okCodes }) });
}
