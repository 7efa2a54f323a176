/** The renewal of a dom0's golden images, by hand or when it is due. */
import { WorkflowExecutionAlreadyStartedError } from '@temporalio/client';
import { GuestflowError } from '../../contract/errors.ts';
import type { GoldenRenewal, RenewalWish } from '../../contract/golden.ts';
import { QUERIES, renewalWorkflowId, WORKFLOWS } from '../../contract/names.ts';
import type { OperationProgress } from '../../contract/progress.ts';
import { until } from '../../system/until.ts';
import type { Session } from '../session.ts';
import { query, start, type Caller } from '../workflow-calls.ts';
import { mustBeServed } from './workers.ts';

const POLL_MS = 1_000;

/** Begins a renewal, unless one is under way on that dom0. @returns undefined: one is */
async function begin(client: Caller, host: string, renewal: RenewalWish): Promise<{ result(): Promise<unknown> } | undefined> {
  try {
    return await start(client, WORKFLOWS.dom0Task, {
      workflowId: renewalWorkflowId(host),
      input: [{ host, task: 'renew', renewal }],
      staticSummary: `renewal of golden images on dom0 ${host}`,
    });
  } catch (error) {
    if (error instanceof WorkflowExecutionAlreadyStartedError) return undefined;
    throw error;
  }
}

/** Begins to renew what is due, and does not wait for it. If a renewal is under way, that is enough. */
export async function beginRenewal(client: Caller, host: string): Promise<void> {
  await begin(client, host, { isDueOnly: true });
}

/**
 * Renews golden images, and waits for the end.
 *
 * @param onProgress told each second how far it is
 * @throws GuestflowError Unreachable when no worker serves that dom0; NotFound when it has no golden image of that distribution; Busy when a renewal is under
 * way there
 */
export async function renewGolden(
  session: Session,
  host: string,
  wish: RenewalWish,
  onProgress: (progress: OperationProgress) => void = () => undefined,
): Promise<GoldenRenewal[]> {
  await mustBeServed(session, host);
  const subject = `the renewal of golden images on dom0 ${host}`;
  const renewal = await session.call(subject, () => begin(session.client, host, wish));
  if (renewal === undefined)
    throw new GuestflowError('Busy', `golden images of dom0 ${host} are being renewed already`, {
      field: 'dom0',
      value: host,
      mend: `ask again when that has ended; the Temporal UI shows it as ${renewalWorkflowId(host)}`,
    });
  const ask = async (): Promise<void> => {
    // Before its first task it has no progress, and while no control worker answers.
    await session.call(subject, () => query(session.client, renewalWorkflowId(host), QUERIES.progress)).then(onProgress, () => undefined);
  };
  const isOver = new AbortController();
  const shown = until(() => ask().then(() => isOver.signal.aborted), { everyMs: POLL_MS });
  try {
    return (await session.call(subject, () => renewal.result(), Infinity)) as GoldenRenewal[];
  } finally {
    isOver.abort();
    await shown;
  }
}
