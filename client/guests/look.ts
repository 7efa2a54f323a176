/** A guest's state, and what is being done on it: the steps, and the heartbeat of the running activity. */
import type { Payload, PayloadCodec } from '@temporalio/common';
import { GuestflowError } from '../../contract/errors.ts';
import { guestWorkflowId, operationWorkflowId, QUERIES } from '../../contract/names.ts';
import type { GuestPhase, GuestStatus } from '../../contract/guest.ts';
import type { OperationProgress } from '../../contract/progress.ts';
import { readFailureMessage, readPayload, type RawFailure } from '../codec/read.ts';
import type { Session } from '../session.ts';
import { query } from '../workflow-calls.ts';
import { defined } from '../../contract/defined.ts';

/** An activity that is scheduled or running. */
export interface ActivityNow {
  /** Its type: the name of the step's activity. */
  readonly activity: string;
  /** 1 for the first attempt. */
  readonly attempt: number;
  /** No worker has taken it yet. If that lasts, the dom0 is down. */
  readonly waitingForWorker: boolean;
  readonly startedAt?: string;
  /** What it said last. */
  readonly message?: string;
  /** 0 to 1. */
  readonly fraction?: number;
  /** Why the attempt before failed. */
  readonly lastFailure?: string;
}

/** A guest, the operation that runs on it, and the activities of that operation. */
export interface GuestProgress {
  readonly status: GuestStatus;
  readonly operation?: OperationProgress;
  readonly activities: readonly ActivityNow[];
}

/** Phases in which an order is still being worked on. */
const UNDER_WAY: ReadonlySet<GuestPhase> = new Set<GuestPhase>(['ordered', 'provisioning']);

/** Whether nothing is being done on the guest just now. */
export function isSettled(status: GuestStatus): boolean {
  return status.operation === undefined && status.queued.length === 0 && !UNDER_WAY.has(status.phase);
}

/** Whether its order is over: it was carried out, or has failed. What the guest does since then is no part of it. */
export function isOrderOver({ phase }: GuestStatus): boolean {
  return !UNDER_WAY.has(phase);
}

/** The state of a guest. */
export function readStatus(session: Session, name: string): Promise<GuestStatus> {
  return session.call(`guest ${name}`, () => query(session.client, guestWorkflowId(name), QUERIES.status));
}

/** As `readStatus`; undefined when there is and was no guest of that name. */
export async function findStatus(session: Session, name: string): Promise<GuestStatus | undefined> {
  try {
    return await readStatus(session, name);
  } catch (error) {
    if (error instanceof GuestflowError && error.type === 'NotFound') return undefined;
    throw error;
  }
}

/** Whether there is or was a guest of that name. It asks only the server, no worker. */
export async function exists(session: Session, name: string): Promise<boolean> {
  try {
    await session.call(`guest ${name}`, () => session.client.workflow.getHandle(guestWorkflowId(name)).describe());
    return true;
  } catch (error) {
    if (error instanceof GuestflowError && error.type === 'NotFound') return false;
    throw error;
  }
}

/**
 * The state of a guest, and what is being done on it.
 *
 * @param lastOperation workflow id of the operation to show when none runs: one that has just ended. Default: how the guest was provisioned
 */
export async function readProgress(session: Session, name: string, lastOperation?: string): Promise<GuestProgress> {
  const status = await readStatus(session, name);
  const running = status.operation?.workflowId;
  const workflowId = running ?? lastOperation ?? operationWorkflowId(name, 'provision', status.order);
  // If the operation has ended meanwhile, or not begun, it has no progress: the guest's own state is the answer then.
  const [operation, activities] = await Promise.all([
    session.call(workflowId, () => query(session.client, workflowId, QUERIES.progress)).catch(() => undefined),
    running === undefined ? [] : session.call(running, () => pendingActivities(session, running)).catch(() => []),
  ]);
  return { status, activities, ...defined({ operation }) };
}

/** How an operation of a guest ended, whatever is being done on it now. Default: how it was provisioned. */
export async function readOperation(
  session: Session,
  status: GuestStatus,
  workflowId = operationWorkflowId(status.name, 'provision', status.order),
): Promise<GuestProgress> {
  const operation = await session.call(workflowId, () => query(session.client, workflowId, QUERIES.progress)).catch(() => undefined);
  return { status, activities: [], ...defined({ operation }) };
}

async function pendingActivities({ client, codec }: Session, workflowId: string): Promise<ActivityNow[]> {
  const { raw } = await client.workflow.getHandle(workflowId).describe();
  return Promise.all(
    (raw.pendingActivities ?? []).map(async (pending) => ({
      activity: pending.activityType?.name ?? '?',
      attempt: pending.attempt ?? 1,
      waitingForWorker: Number(pending.state) === SCHEDULED,
      ...timeOf(pending.lastStartedTime?.seconds),
      ...(await heartbeatOf(codec, pending.heartbeatDetails?.payloads?.[0])),
      ...(await failureOf(codec, pending.lastFailure)),
    })),
  );
}

/** temporal.api.enums.v1.PendingActivityState.PENDING_ACTIVITY_STATE_SCHEDULED */
const SCHEDULED = 1;

async function failureOf(codec: PayloadCodec, failure: RawFailure | null | undefined): Promise<{ lastFailure?: string }> {
  return failure === undefined || failure === null ? {} : { lastFailure: await readFailureMessage(codec, failure) };
}

function timeOf(seconds: unknown): { startedAt?: string } {
  return seconds === undefined || seconds === null ? {} : { startedAt: new Date(Number(seconds) * 1000).toISOString() };
}

/** What a step's heartbeat holds (`activities/dom0/step.ts`); anything else is left out. */
async function heartbeatOf(codec: PayloadCodec, payload: Payload | undefined): Promise<{ message?: string; fraction?: number }> {
  const beat = payload === undefined ? undefined : await readPayload(codec, payload);
  if (typeof beat !== 'object' || beat === null) return {};
  return {
    ...('message' in beat && typeof beat.message === 'string' ? { message: beat.message } : {}),
    ...('fraction' in beat && typeof beat.fraction === 'number' ? { fraction: beat.fraction } : {}),
  };
}
