/** Proxies of activities, by class of effect and task queue. */
import { proxyActivities, type ActivityOptions } from '@temporalio/workflow';
import type { BulkActivities, ShortActivities } from '../../activities/dom0/activities.ts';
import type { ControlActivities } from '../../activities/control/activities.ts';
import { CONTROL_QUEUE, dom0BulkQueue, dom0Queue } from '../../contract/names.ts';
import { inWords, isNotTaken, neverTaken } from './unreachable-worker.ts';
import {
  HOST_CHANGE,
  HOST_CHANGE_PATIENCE,
  LONG_COPY,
  LONG_COPY_PATIENCE,
  OUTSIDE_CALL,
  UNDO,
  UNDO_PATIENCE,
  type StartPatience,
} from './time-limits.ts';

type Call = (...args: never[]) => Promise<unknown>;

/** Told when a step waits for a dom0, and (with undefined) when it no longer does. */
export type OnWaiting = (reason: string | undefined) => void;

/** The dom0 and the guest that steps are for, and who is told that they wait. */
interface Subject {
  readonly host: string;
  readonly subject: string;
  readonly onWaiting: OnWaiting;
}

/**
 * A proxy whose calls carry a summary for the UI. If no worker of the dom0 takes a call in time, it is scheduled again: Temporal does not retry a
 * schedule-to-start timeout by itself. That timeout is how a dead dom0 shows.
 */
// Only the caller knows the type of the activities: nothing at run time tells.
// eslint-disable-next-line @typescript-eslint/no-unnecessary-type-parameters
function offeringProxy<T extends object>(
  options: ActivityOptions,
  patienceOf: () => StartPatience,
  { host, subject, onWaiting }: Subject,
): T {
  const proxy = proxyActivities(options) as unknown as Record<
    string,
    { executeWithOptions(options: ActivityOptions, args: never[]): Promise<unknown> }
  >;
  const call =
    (name: string): Call =>
    async (...args) => {
      const { count, eachMs } = patienceOf();
      for (let offer = 1; ; offer += 1) {
        try {
          const result = await proxy[name]?.executeWithOptions(
            { ...options, scheduleToStartTimeout: eachMs, summary: `${subject}: ${name}` },
            args,
          );
          onWaiting(undefined);
          return result;
        } catch (error) {
          if (!isNotTaken(error)) throw inWords(error, host, name);
          onWaiting(`the worker of dom0 ${host} does not answer`);
          if (offer === count) throw neverTaken(host, name, count * eachMs);
        }
      }
    };
  return new Proxy({} as T, { get: (_target, name) => (typeof name === 'string' ? call(name) : undefined) });
}

/** All undos of an operation share one patience, counted from the first of them: a dead dom0 is not waited for once for each. */
function sharedPatience(): () => StartPatience {
  let endsAt: number | undefined;
  return () => {
    endsAt ??= Date.now() + UNDO_PATIENCE.allMs;
    return { count: 1, eachMs: Math.max(UNDO_PATIENCE.leastMs, endsAt - Date.now()) };
  };
}

export interface Dom0Steps {
  /** Quick looks and changes. */
  readonly host: ShortActivities;
  /** Long copies. */
  readonly bulk: BulkActivities;
  readonly undo: ShortActivities;
  readonly undoBulk: BulkActivities;
}

/** The steps of one dom0. `subject` is what the UI shows before each activity's name: the guest. */
export function dom0Steps(host: string, subject: string, onWaiting: OnWaiting = () => undefined): Dom0Steps {
  const whom = { host, subject, onWaiting };
  const patience = sharedPatience();
  return {
    host: offeringProxy({ ...HOST_CHANGE, taskQueue: dom0Queue(host) }, () => HOST_CHANGE_PATIENCE, whom),
    bulk: offeringProxy({ ...LONG_COPY, taskQueue: dom0BulkQueue(host) }, () => LONG_COPY_PATIENCE, whom),
    undo: offeringProxy({ ...UNDO, taskQueue: dom0Queue(host) }, patience, whom),
    undoBulk: offeringProxy({ ...UNDO, taskQueue: dom0BulkQueue(host) }, patience, whom),
  };
}

/** Calls to Temporal itself. */
export const control = proxyActivities<ControlActivities>({ ...OUTSIDE_CALL, taskQueue: CONTROL_QUEUE });
