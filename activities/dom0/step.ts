/**
 * Turns a step (a plain function over a dom0) into a Temporal activity: input checked, heartbeats sent, cancellation passed on,
 * failures classified. Steps themselves know nothing of Temporal.
 */
import { Context } from '@temporalio/activity';
import { ApplicationFailure, CancelledFailure } from '@temporalio/common';
import type { z } from 'zod';
import { GuestflowError } from '../../contract/errors.ts';
import type { Dom0Settings } from '../../contract/dom0-settings.ts';
import type { Host } from '../../system/host.ts';
import { ToolError } from '../../system/run.ts';

/** What a step may use. */
export interface StepEnv {
  readonly host: Host;
  readonly settings: Dom0Settings;
  /** Aborted when the activity is cancelled, or when a later attempt of it has begun. */
  readonly signal: AbortSignal;
  /** 1 for the first attempt. */
  readonly attempt: number;
  /** Says how far it is: shown by the client and in the Temporal UI. */
  progress(message: string, fraction?: number): void;
  readonly log: StepLog;
}

export interface StepLog {
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
}

/** Heartbeat details of every step. */
export interface StepHeartbeat {
  readonly message: string;
  /** 0 to 1. */
  readonly fraction?: number;
}

/** What a dom0's activities are made from. */
export interface Dom0Context {
  readonly host: Host;
  readonly settings: Dom0Settings;
  readonly log: StepLog;
  readonly version: string;
  /** Throws when this machine may not act as this dom0. Asked before each attempt of a step. Default: it may. */
  readonly mayAct?: () => Promise<void>;
  /** Who works on which guest, where others than steps do, too. */
  readonly locks?: GuestLocks;
}

/** Heartbeats are sent this often whether or not there is news: cancellation arrives with their answers. */
const HEARTBEAT_MS = 4_000;

/** What a step has to itself: its guest, by name; or something that several guests share, for which they wait in turn. */
export type Lock = string | { readonly shared: string };

interface Holder {
  /** Whose step it is. */
  readonly of: string;
  readonly abort: AbortController;
  readonly done: Promise<void>;
}

async function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return;
  await new Promise<void>((resolve) => {
    signal.addEventListener(
      'abort',
      () => {
        resolve();
      },
      { once: true },
    );
  });
}

/**
 * Steps on one guest never overlap on a dom0, not even with an earlier attempt that Temporal has given up on (a heartbeat that was late)
 * while its processes still run: the newcomer ends the other one and waits for it. Another guest's step is only waited for.
 */
export class GuestLocks {
  private readonly holders = new Map<string, Holder>();

  /** @param of whose step it is: an earlier one of the same is ended. */
  async hold<T>(key: string, of: string, outer: AbortSignal, work: (signal: AbortSignal) => Promise<T>): Promise<T> {
    for (let holder = this.holders.get(key); holder !== undefined; holder = this.holders.get(key)) {
      if (holder.of === of) holder.abort.abort(new Error('a later attempt has begun'));
      await Promise.race([holder.done, aborted(outer)]);
      if (outer.aborted) throw new CancelledFailure('the step was cancelled while it waited for another');
    }
    const abort = new AbortController();
    const working = work(AbortSignal.any([outer, abort.signal]));
    const done = working.then(
      () => undefined,
      () => undefined,
    );
    this.holders.set(key, { of, abort, done });
    try {
      return await working;
    } finally {
      if (this.holders.get(key)?.done === done) this.holders.delete(key);
    }
  }
}

/** Any error of a step as a failure that Temporal can carry, of a type that workflows and clients know. */
export function toFailure(error: unknown, signal: AbortSignal): Error {
  if (signal.aborted || (error instanceof ToolError && error.cancelled)) return new CancelledFailure('the step was cancelled');
  if (error instanceof GuestflowError) {
    return ApplicationFailure.create({
      type: error.type,
      message: error.message,
      nonRetryable: !error.retryable,
      details: [error.details],
    });
  }
  if (error instanceof ToolError) {
    return error.notFound
      ? ApplicationFailure.create({
          type: 'HostNotReady',
          message: error.message,
          nonRetryable: true,
          details: [{ mend: 'guestflow dom0 check' }],
        })
      : ApplicationFailure.create({ type: 'ToolFailed', message: error.message, details: [{}] });
  }
  const message = error instanceof Error ? error.message : String(error);
  const code = error instanceof Error && 'code' in error ? String(error.code) : undefined;
  // Errors of the file system (no space, read-only) are the dom0's state: they may pass.
  return ApplicationFailure.create({
    type: 'ToolFailed',
    message: code === undefined ? message : `file system: ${message}`,
    details: [{}],
  });
}

/**
 * Makes activities of steps.
 *
 * @param context the dom0 they work on.
 */
export function activityMaker(context: Dom0Context) {
  const locks = context.locks ?? new GuestLocks();
  /**
   * @param schema what the step takes; the dom0 worker checks it again, whoever sent it.
   * @param lockOf what the step has to itself on this dom0, if anything.
   */
  return <I, R>(
      schema: z.ZodType<NoInfer<I>>,
      lockOf: (input: NoInfer<I>) => Lock | undefined,
      step: (env: StepEnv, input: I) => Promise<R>,
    ) =>
    async (raw: I): Promise<R> => {
      const parsed = schema.safeParse(raw);
      if (!parsed.success) {
        const issue = parsed.error.issues[0];
        const field = issue?.path.join('.') ?? '';
        throw ApplicationFailure.create({
          type: 'InvalidInput',
          nonRetryable: true,
          message: `${field}: ${issue?.message ?? 'is not valid'}`,
          details: [{ field }],
        });
      }
      const activity = Context.current();
      let last: StepHeartbeat = { message: 'started' };
      const timer = setInterval(() => {
        activity.heartbeat(last);
      }, HEARTBEAT_MS);
      const run = async (signal: AbortSignal): Promise<R> => {
        try {
          await context.mayAct?.();
          return await step(
            {
              host: context.host,
              settings: context.settings,
              signal,
              attempt: activity.info.attempt,
              progress: (message, fraction) => {
                last = fraction === undefined ? { message } : { message, fraction };
                activity.heartbeat(last);
              },
              log: context.log,
            },
            parsed.data,
          );
        } catch (error) {
          const failure = toFailure(error, signal);
          context.log.warn(
            { step: activity.info.activityType, workflow: activity.info.workflowExecution?.workflowId, attempt: activity.info.attempt },
            failure.message,
          );
          throw failure;
        }
      };
      try {
        const lock = lockOf(parsed.data);
        const outer = activity.cancellationSignal;
        if (lock === undefined) return await run(outer);
        const isShared = typeof lock !== 'string';
        return await locks.hold(
          isShared ? lock.shared : lock,
          isShared ? (activity.info.workflowExecution?.workflowId ?? '') : lock,
          outer,
          run,
        );
      } finally {
        clearInterval(timer);
      }
    };
}
