/**
 * A saga whose steps can be watched. Each step registers its undo before it starts. If a step fails, the undos run in reverse order, each on its own and
 * out of reach of cancellation. The caller gets the original error.
 */
import { ApplicationFailure, CancellationScope, isCancellation, log, setCurrentDetails, TemporalFailure } from '@temporalio/workflow';
import { QUERIES } from '../../contract/names.ts';
import type { ErrorDetails } from '../../contract/errors.ts';
import type { OperationProgress, StepProgress, StepState } from '../../contract/progress.ts';
import { onQuery } from './handlers.ts';
import { timeStep } from './metrics.ts';
import { defined } from '../../contract/defined.ts';

type Undo = () => Promise<unknown>;

interface StepRecord {
  readonly name: string;
  state: StepState;
  startedAt?: number;
  seconds?: number;
  summary?: string;
}

const SIGNS: Readonly<Record<StepState, string>> = { pending: '·', running: '▶', done: '✔', failed: '✘', undone: '↩', 'undo-failed': '✘↩' };

/** What failed, in a form that survives being wrapped by activities and child workflows. */
export function rootFailure(error: unknown): { type: string; message: string; details: ErrorDetails } {
  if (isCancellation(error)) return { type: 'Cancelled', message: 'it was cancelled', details: {} };
  let cause: unknown = error;
  while (cause instanceof TemporalFailure && !(cause instanceof ApplicationFailure) && cause.cause !== undefined) cause = cause.cause;
  if (cause instanceof ApplicationFailure) {
    return { type: cause.type ?? 'ToolFailed', message: cause.message, details: (cause.details?.[0] as ErrorDetails | undefined) ?? {} };
  }
  return { type: 'ToolFailed', message: cause instanceof Error ? cause.message : String(cause), details: {} };
}

/** One operation on a guest, step by step. */
export class Operation {
  private readonly records: StepRecord[];
  private readonly undos: { step: string; parts: readonly Undo[] }[] = [];
  private first: string | undefined;
  private readonly title: string;
  private waiting: string | undefined;

  /**
   * @param title shown above the steps in the UI, in Markdown.
   * @param steps names of all steps, in order, so that a person sees what is still to come.
   */
  constructor(title: string, steps: readonly string[]) {
    this.title = title;
    this.records = steps.map((name) => ({ name, state: 'pending' }));
    onQuery(QUERIES.progress, () => this.progress());
    this.show();
  }

  readonly onWaiting = (reason: string | undefined): void => {
    if (this.waiting === reason) return;
    this.waiting = reason;
    this.show();
  };

  /**
   * Runs the step on which all others depend: capacity and address. It is undone only if the undos of all others succeeded; else another guest could
   * be given what is still in use.
   */
  async firstStep<T>(name: string, run: () => Promise<T>, undo: Undo, say?: (result: T) => string): Promise<T> {
    this.first = name;
    return this.step(name, run, undo, say);
  }

  /**
   * Runs a step. Its undo is registered first, so that a step that failed half-way, or whose answer was lost, is undone, too.
   *
   * @param undo one or more parts that do not depend on each other: each is tried, in this order.
   * @param say what came of it, in words.
   */
  async step<T>(name: string, run: () => Promise<T>, undo: Undo | readonly Undo[] = [], say?: (result: T) => string): Promise<T> {
    const record = this.recordOf(name);
    this.undos.push({ step: name, parts: typeof undo === 'function' ? [undo] : undo });
    record.state = 'running';
    record.startedAt = Date.now();
    this.show();
    try {
      const result = await run();
      const summary = say?.(result);
      if (summary !== undefined) record.summary = summary;
      this.settle(record, 'done');
      return result;
    } catch (error) {
      record.summary = rootFailure(error).message;
      this.settle(record, 'failed');
      throw error;
    }
  }

  /**
   * Runs the whole operation; on failure undoes what was done.
   *
   * @param leftovers asks the dom0 what is left after an undo that could not finish. Default: the undos that failed. That is right for a guest that lives
   * on: that it has volumes is no leftover.
   * @throws ApplicationFailure of the original type, with what was undone; or of type `NeedsCleanup`, with what is left.
   */
  async run<T>(work: () => Promise<T>, leftovers?: () => Promise<string[]>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      return await CancellationScope.nonCancellable(async () => this.undoAll(error, leftovers));
    }
  }

  private async undoAll(original: unknown, leftovers: (() => Promise<string[]>) | undefined): Promise<never> {
    const cause = rootFailure(original);
    const undone: string[] = [];
    const failed: string[] = [];
    for (const { step, parts } of this.undos.reverse()) {
      if (parts.length === 0 || (step === this.first && failed.length > 0)) continue;
      const record = this.recordOf(step);
      const wrong = await this.undoStep(step, parts);
      failed.push(...wrong);
      if (wrong.length > 0) record.state = 'undo-failed';
      else {
        undone.push(step);
        record.state = record.state === 'failed' ? 'failed' : 'undone';
      }
      this.show();
    }
    const failedStep = this.records.find((record) => record.state === 'failed')?.name;
    if (failed.length === 0) {
      throw ApplicationFailure.create({
        type: cause.type,
        nonRetryable: true,
        message: cause.message,
        details: [{ ...cause.details, undone, step: failedStep }],
      });
    }
    const left = (await leftovers?.().catch(() => failed)) ?? failed;
    throw ApplicationFailure.create({
      type: 'NeedsCleanup',
      nonRetryable: true,
      message: `${cause.message} - and the undo could not finish (${failed.join('; ')}). ${
        leftovers === undefined ? 'Ask for it again' : 'Run guestflow cleanup'
      } when the cause is mended.`,
      details: [{ ...cause.details, undone, step: failedStep, leftovers: left.length === 0 ? failed : left }],
    });
  }

  /** Undoes one step. Returns what went wrong, in words. */
  private async undoStep(step: string, parts: readonly Undo[]): Promise<string[]> {
    const wrong: string[] = [];
    for (const part of parts) {
      try {
        await part();
      } catch (error) {
        const reason = rootFailure(error).message;
        wrong.push(`undo of ${step}: ${reason}`);
        log.warn('an undo could not finish', { step, reason });
      }
    }
    return wrong;
  }

  /**
   * Runs removals one after the other, each on its own and out of reach of cancellation. The last one runs only if all others succeeded.
   *
   * @param mend what somebody does when the cause is mended. Default: guestflow cleanup.
   * @throws ApplicationFailure of type `NeedsCleanup` with what is left, when one of them could not finish.
   */
  async removeAll(
    removals: readonly (readonly [step: string, remove: Undo])[],
    last: readonly [step: string, remove: Undo],
    leftovers: () => Promise<string[]>,
    mend = 'Run guestflow cleanup',
  ): Promise<void> {
    await CancellationScope.nonCancellable(async () => {
      const failed: string[] = [];
      for (const [name, remove] of [...removals, last]) {
        if (name === last[0] && failed.length > 0) break;
        try {
          await this.step(name, remove);
        } catch (error) {
          failed.push(`${name}: ${rootFailure(error).message}`);
        }
      }
      if (failed.length === 0) return;
      const left = await leftovers().catch(() => failed);
      throw ApplicationFailure.create({
        type: 'NeedsCleanup',
        nonRetryable: true,
        message: `not all could be removed (${failed.join('; ')}). ${mend} when the cause is mended.`,
        details: [{ leftovers: left.length === 0 ? failed : left }],
      });
    });
  }

  private recordOf(name: string): StepRecord {
    const record = this.records.find((candidate) => candidate.name === name);
    if (record === undefined) throw new Error(`the operation has no step ${name}`);
    return record;
  }

  private settle(record: StepRecord, state: 'done' | 'failed'): void {
    record.state = state;
    record.seconds = Math.round((Date.now() - (record.startedAt ?? Date.now())) / 100) / 10;
    timeStep(record.name, state, record.seconds);
    this.show();
  }

  progress(): OperationProgress {
    const steps = this.records.map((record): StepProgress => ({
      name: record.name,
      state: record.state,
      ...(record.startedAt === undefined ? {} : { startedAt: new Date(record.startedAt).toISOString() }),
      ...defined({ seconds: record.seconds, summary: record.summary }),
    }));
    return this.waiting === undefined ? { steps } : { steps, waiting: this.waiting };
  }

  private show(): void {
    const lines = this.records.map((record) => {
      const seconds = record.seconds === undefined ? '' : ` (${record.seconds} s)`;
      return `- ${SIGNS[record.state]} **${record.name}**${seconds}${record.summary === undefined ? '' : `: ${record.summary}`}`;
    });
    setCurrentDetails([this.title, ...(this.waiting === undefined ? [] : [`**Waiting:** ${this.waiting}`]), ...lines].join('\n'));
  }
}
