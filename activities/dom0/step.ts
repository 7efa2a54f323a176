/**
 * Turns a step (a plain function over a dom0) into a Temporal activity: input checked, heartbeats sent, cancellation passed on,
 * failures classified. Steps themselves know nothing of Temporal.
 */
import { Context } from '@temporalio/activity';
import { ApplicationFailure } from '@temporalio/common';
import type { z } from 'zod';
import type { Dom0Settings } from '../../order/dom0-settings.ts';
import { defined } from '../../contract/defined.ts';
import type { AttachableHost } from '../../system/host.ts';
import type { BrowserSessions } from './browser-sessions.ts';
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
  readonly host: AttachableHost;
  readonly settings: Dom0Settings;
  readonly log: StepLog;
  readonly version: string;
  /** Throws if this machine may not act as this dom0. It is called before each attempt of a step. Default: the machine may. */
  readonly mayAct?: () => Promise<void>;
  /** Who works on which guest, where others than steps do, too. */
  readonly locks?: GuestLocks;
  /** What is open for people at a browser, where others than steps end it, too. */
  readonly sessions?: BrowserSessions;
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
      const input = checked(schema, raw);
      const activity = Context.current();
      const heartbeats = new Heartbeats(activity);
      try {
        return await locked(locks, lockOf(input), activity, (signal) =>
          attempt(context, activity, { signal, progress: heartbeats.beat }, (env) => step(env, input)),
        );
      } finally {
        heartbeats.stop();
      }
    };
}

function checked<I>(schema: z.ZodType<I>, raw: I): I {
  const parsed = schema.safeParse(raw);
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0];
  const field = issue?.path.join('.') ?? '';
  throw ApplicationFailure.create({
    type: 'InvalidInput',
    nonRetryable: true,
    message: `${field}: ${issue?.message ?? 'is not valid'}`,
    details: [{ field }],
  });
}

/** The heartbeats of one attempt: at once when there is news, and the last news again from time to time. */
class Heartbeats {
  private readonly activity: Context;
  private readonly timer: NodeJS.Timeout;
  private last: StepHeartbeat = { message: 'started' };

  constructor(activity: Context) {
    this.activity = activity;
    this.timer = setInterval(() => {
      activity.heartbeat(this.last);
    }, HEARTBEAT_MS);
  }

  readonly beat: StepEnv['progress'] = (message, fraction) => {
    this.last = { message, ...defined({ fraction }) };
    this.activity.heartbeat(this.last);
  };

  stop(): void {
    clearInterval(this.timer);
  }
}

/** Runs the work while it holds the step's lock, if the step has one. */
async function locked<R>(
  locks: GuestLocks,
  lock: Lock | undefined,
  { info, cancellationSignal }: Context,
  work: (signal: AbortSignal) => Promise<R>,
): Promise<R> {
  if (lock === undefined) return work(cancellationSignal);
  const [key, of] = typeof lock === 'string' ? [lock, lock] : [lock.shared, info.workflowExecution?.workflowId ?? ''];
  return locks.hold(key, of, cancellationSignal, work);
}

/** Runs a step once, if this machine may act as its dom0. What it throws becomes a failure of a known type, and a line of the log. */
async function attempt<R>(
  { mayAct, host, settings, log }: Dom0Context,
  { info }: Context,
  { signal, progress }: Pick<StepEnv, 'signal' | 'progress'>,
  step: (env: StepEnv) => Promise<R>,
): Promise<R> {
  try {
    await mayAct?.();
    return await step(createEnv({ host, settings, signal, attempt: info.attempt, progress, log }));
  } catch (error) {
    const failure = toFailure(error, signal);
    log.warn({ step: info.activityType, workflow: info.workflowExecution?.workflowId, attempt: info.attempt }, failure.message);
    throw failure;
  }
}
