/** The workers that serve a dom0: those that Temporal sees polling its task queues. */
import type { Client } from '@temporalio/client';
import { GuestflowError } from '../../contract/errors.ts';
import { dom0Queue } from '../../contract/names.ts';
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
export async function pollersOf(
  { workflowService, options: { namespace } }: Client,
  host: string,
  goneMs = POLLER_IS_GONE_MS,
): Promise<string[]> {
  const { pollers } = await workflowService.describeTaskQueue({
    namespace,
    taskQueue: { name: dom0Queue(host) },
    // eslint-disable-next-line @typescript-eslint/no-unsafe-enum-assignment -- the enum lives in @temporalio/proto, which is no dependency of ours
    taskQueueType: ACTIVITY_QUEUE,
  });
  const isLate = (seconds: unknown): boolean => Date.now() - Number(seconds ?? 0) * 1000 >= goneMs;
  return pollers.filter(({ lastAccessTime }) => !isLate(lastAccessTime?.seconds)).map(({ identity }) => identity ?? '');
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
