/** The workers that serve a dom0: those that Temporal sees polling its task queues. */
import type { Client } from '@temporalio/client';
import { GuestflowError } from '../../contract/errors.ts';
import { defined } from '../../contract/defined.ts';
import { dom0BulkQueue, dom0Queue } from '../../contract/names.ts';
import type { Session } from '../session.ts';
import { listDom0s, mustBeName } from './names.ts';

/** A worker polls at least once a minute; after this time without a poll it counts as gone. */
export const POLLER_IS_GONE_MS = 90_000;

/**
 * Throws unless a worker serves the dom0.
 *
 * @throws GuestflowError Unreachable
 */
export async function mustBeServed(session: Session, host: string): Promise<void> {
  mustBeName(host);
  const pollers = await session.call(`dom0 ${host}`, () => pollersOf(session.client, host));
  if (pollers.length === 0) throw await nobodyServes(session, host);
}

/** Identities of the workers that have polled a dom0's task queue lately. @param goneMs Default: 90 s */
export async function pollersOf(client: Client, host: string, goneMs = POLLER_IS_GONE_MS): Promise<string[]> {
  const { pollers } = await describe(client, dom0Queue(host));
  return pollers.filter(({ lastAccessTime }) => Date.now() - toMs(lastAccessTime) < goneMs).map(({ identity }) => identity ?? '');
}

/** A dom0's two task queues, as Temporal sees them. */
export interface Dom0Queues {
  /** A worker has polled within a minute and a half. */
  readonly isServed: boolean;
  /** When one polled last (milliseconds). Temporal forgets it after some minutes. */
  readonly polledAt?: number;
  /** Steps that wait for a worker, short ones and copies: about so many. */
  readonly waiting: { readonly short: number; readonly bulk: number };
}

export async function readQueues(client: Client, host: string): Promise<Dom0Queues> {
  const [short, bulk] = await Promise.all([dom0Queue(host), dom0BulkQueue(host)].map((queue) => describe(client, queue)));
  const polls = (short?.pollers ?? []).map(({ lastAccessTime }) => toMs(lastAccessTime));
  const polledAt = polls.length === 0 ? undefined : Math.max(...polls);
  return {
    isServed: polledAt !== undefined && Date.now() - polledAt < POLLER_IS_GONE_MS,
    ...defined({ polledAt }),
    waiting: { short: backlogOf(short), bulk: backlogOf(bulk) },
  };
}

type Described = Awaited<ReturnType<typeof describe>>;

function describe({ workflowService, options: { namespace } }: Client, queue: string) {
  return workflowService.describeTaskQueue({
    namespace,
    taskQueue: { name: queue },
    // eslint-disable-next-line @typescript-eslint/no-unsafe-enum-assignment -- the enum lives in @temporalio/proto, which is no dependency of ours
    taskQueueType: ACTIVITY_QUEUE,
    reportStats: true,
  });
}

function backlogOf(described: Described | undefined): number {
  return Number(described?.stats?.approximateBacklogCount ?? 0);
}

function toMs(time: { readonly seconds?: unknown } | null | undefined): number {
  return Number(time?.seconds ?? 0) * 1_000;
}

/** temporal.api.enums.v1.TaskQueueType.TASK_QUEUE_TYPE_ACTIVITY */
const ACTIVITY_QUEUE = 2;

async function nobodyServes(session: Session, host: string): Promise<GuestflowError> {
  const known = await listDom0s(session);
  const others = known.length === 0 ? 'none has ever registered' : `known are ${known.join(', ')}`;
  return new GuestflowError('Unreachable', `nobody serves dom0 ${host}: no worker asks for its work (${others})`, {
    field: 'dom0',
    value: host,
    mend: `start its worker: systemctl start guestflow-dom0 on ${host}, or guestflow worker dom0 there`,
  });
}
