/** Why a workflow does not answer: if a control worker cannot run it, only the workflow's history says so. */
import type { Client } from '@temporalio/client';
import type { PayloadCodec } from '@temporalio/common';
import { GuestflowError } from '../contract/errors.ts';
import { readFailureMessage } from './codec/read.ts';

/** How many events at the end of a history are looked at: a failed task has three, scheduled, started and failed. */
const LAST_EVENTS = 12;
/** The look itself must not keep anybody waiting. */
const LOOK_MS = 3_000;

/**
 * If nobody answered, the error with the reason that the workflow's last failed task gives; any other error as it is.
 *
 * @param subject what was asked: `guest NAME`, `dom0 HOST`, `order ID`
 */
export async function withReason(
  error: GuestflowError,
  subject: string,
  of: { readonly client: Client; readonly codec: PayloadCodec },
): Promise<GuestflowError> {
  const [, kind, id] = /^(guest|dom0|order|network) (\S+)$/.exec(subject) ?? [];
  if (error.type !== 'Unreachable' || kind === undefined || id === undefined) return error;
  const reason = await lastTaskFailure(`${kind}/${id}`, of).catch(() => undefined);
  if (reason === undefined) return error;
  return new GuestflowError('Unreachable', `${subject}: a control worker took it and could not go on: ${reason}`, {
    ...error.details,
    mend: /codec key/.test(reason)
      ? 'give all workers and clients the same file of codec keys (docs/security), and restart those that had another'
      : "look at the control worker's log",
  });
}

/** Message of the failed workflow task at the end of a history; undefined when its last task did not fail. */
export async function lastTaskFailure(
  workflowId: string,
  { client, codec }: { readonly client: Client; readonly codec: PayloadCodec },
): Promise<string | undefined> {
  const { workflowService } = client.connection;
  const { history } = await client.withDeadline(Date.now() + LOOK_MS, () =>
    workflowService.getWorkflowExecutionHistoryReverse({
      namespace: client.options.namespace,
      execution: { workflowId },
      maximumPageSize: LAST_EVENTS,
    }),
  );
  const last = history?.events?.find((event) => event.workflowTaskFailedEventAttributes ?? event.workflowTaskCompletedEventAttributes);
  const failure = last?.workflowTaskFailedEventAttributes?.failure;
  return failure === undefined || failure === null ? undefined : readFailureMessage(codec, failure);
}
