/**
 * Turns a step (a plain function over a dom0) into a Temporal activity: input checked, heartbeats sent, cancellation passed on,
 * failures classified. Steps themselves know nothing of Temporal.
 */
import { Context } from '@temporalio/activity';
import { ApplicationFailure } from '@temporalio/common';
import type { z } from 'zod';
import type { Dom0Settings } from '../../order/dom0-settings.ts';
import type { Host } from '../../system/host.ts';
import { createEnv } from './drivers.ts';
import type { StepEnv } from './env.ts';
import { toFailure } from './failure.ts';
import { GuestLocks, type Lock } from './locks.ts';
import type { StepLog } from './work.ts';

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
  /** Throws if this machine may not act as this dom0. It is called before each attempt of a step. Default: the machine may. */
  readonly mayAct?: () => Promise<void>;
  /** Who works on which guest, where others than steps do, too. */
  readonly locks?: GuestLocks;
}

/** Heartbeats are sent this often even without news: a cancellation arrives with their answers. */
const HEARTBEAT_MS = 4_000;

/**
 * Makes activities of steps.
 *
 * @param context the dom0 they work on.
 */
export function activityMaker(context: Dom0Context) {
  const locks = context.locks ?? new GuestLocks();
  /**
   * @param schema what the step takes; the dom0 worker checks it again, whoever sent it.
   * @param lockOf what the step locks on this dom0, if anything.
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
          const env = createEnv({
            host: context.host,
            settings: context.settings,
            signal,
            attempt: activity.info.attempt,
            progress: (message, fraction) => {
              last = fraction === undefined ? { message } : { message, fraction };
              activity.heartbeat(last);
            },
            log: context.log,
          });
          return await step(env, parsed.data);
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
