/**
 * watch: looks at the fleet each minute, and has operators told what has begun and what is over. There is one of it, however many control workers there are;
 * what was told is its state, so that a restart tells nothing twice.
 */
import {
  continueAsNew,
  log,
  ParentClosePolicy,
  proxyActivities,
  setCurrentDetails,
  sleep,
  startChild,
  workflowInfo,
} from '@temporalio/workflow';
import type { WatchActivities } from '../../activities/control/watch/activities.ts';
import { CONTROL_QUEUE } from '../../contract/names.ts';
import { PROBLEM_KINDS, type Notice, type NoticeChannel } from '../../contract/watch.ts';
import { notify } from '../billing/notify.ts';
import { ignoringCancel } from '../saga/ignore-cancel.ts';
import { rootFailure } from '../saga/operation.ts';
import { WATCH } from '../saga/time-limits.ts';
import { declareVersioning } from '../saga/versioning.ts';
import { afterLook, type Seen } from './notices.ts';

const { lookForProblems } = proxyActivities<WatchActivities>({
  taskQueue: CONTROL_QUEUE,
  startToCloseTimeout: '1 minute',
  retry: { maximumAttempts: 3 },
});

/** What a run hands on to the next one. */
interface WatchRun {
  readonly seen: readonly Seen[];
  /** Counts what was told, for its ids. */
  readonly told: number;
}

/** Ends when nobody wants to be told any more; a control worker whose settings name somebody starts it again. */
export async function watch(carried: WatchRun = { seen: [], told: 0 }): Promise<void> {
  await ignoringCancel(async () => {
    let { seen, told } = carried;
    while (!workflowInfo().continueAsNewSuggested) {
      const look = await lookForProblems().catch((error: unknown) => {
        log.warn('the fleet could not be looked at', { reason: rootFailure(error).message });
        return undefined;
      });
      if (look?.channels.length === 0) return;
      if (look !== undefined) {
        const after = afterLook(seen, look, Date.now());
        ({ seen } = after);
        if (after.notice.begun.length + after.notice.over.length > 0) {
          told += 1;
          for (const channel of look.channels) await send(after.notice, channel, told);
        }
        setCurrentDetails(describe(seen));
      }
      await sleep(WATCH.lookEveryMs);
    }
    await continueAsNew<typeof watch>({ seen, told });
  });
}

/** Each channel on its own: one that is down holds up neither the other nor the next look. */
async function send({ begun, over }: Notice, channel: NoticeChannel, told: number): Promise<void> {
  const id = `watch-${workflowInfo().firstExecutionRunId}-${String(told)}-${channel}`;
  await startChild(notify, {
    workflowId: `notify/${id}`,
    args: [{ id, type: 'operators.problems', channel, timestamp: new Date().toISOString(), data: { begun, over } }],
    parentClosePolicy: ParentClosePolicy.ABANDON,
    staticSummary: `tells operators by ${channel}`,
  });
}

function describe(seen: readonly Seen[]): string {
  const told = seen.filter(({ isTold }) => isTold);
  if (told.length === 0) return 'nothing is wrong that operators are told of';
  const counts = new Map<string, number>();
  for (const { kind, dom0 } of told) {
    const what = PROBLEM_KINDS[kind].what.replaceAll('HOST', dom0);
    const key = `${what}${dom0 === '' || what.includes(dom0) ? '' : ` (${dom0})`}`;
    counts.set(key, (counts.get(key) ?? 0) + 1);
  }
  return [...counts].map(([what, count]) => `- ${what}: ${String(count)}`).join('\n');
}

declareVersioning('AUTO_UPGRADE', watch);
