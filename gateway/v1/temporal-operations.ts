/** Operations of a guest, read from their workflows. */
import type { WorkflowExecutionDescription } from '@temporalio/client';
import type { Session } from '../../client/session.ts';
import { query } from '../../client/workflow-calls.ts';
import { GuestflowError } from '../../contract/errors.ts';
import { guestWorkflowId, operationWorkflowId, QUERIES, SEARCH_ATTRIBUTES, WORKFLOWS } from '../../contract/names.ts';
import { OPERATION_KINDS, OPERATIONS } from '../../contract/operations.ts';
import type { OperationDocument } from './answers.ts';
import { defined } from '../../contract/defined.ts';

/** Workflow types of the order itself and of all operations; `terminate` runs one of two. */
const TYPES = [...new Set([WORKFLOWS.provisionGuest, WORKFLOWS.removeGuest, ...OPERATION_KINDS.map((kind) => OPERATIONS[kind].workflow)])];
const MOST = 100;

type Status = WorkflowExecutionDescription['status']['name'];

/** The last hundred operations, newest first. */
export async function listOperations(session: Session, guest: string): Promise<OperationDocument[]> {
  const mine = `${SEARCH_ATTRIBUTES.guest} = '${guest}' AND WorkflowType IN (${TYPES.map((type) => `'${type}'`).join(', ')})`;
  return session.call(`operations of guest ${guest}`, async () => {
    const found: OperationDocument[] = [];
    for await (const { workflowId, status, startTime, closeTime } of session.client.workflow.list({ query: mine, pageSize: MOST })) {
      const [kind, id] = partsOf(guest, workflowId);
      if (kind !== undefined && id !== undefined) found.push(toDocument(guest, kind, id, { status: status.name, startTime, closeTime }));
      if (found.length === MOST) break;
    }
    return found.sort((a, b) => ((a.startedAt ?? '') < (b.startedAt ?? '') ? 1 : -1));
  });
}

/**
 * One operation, with its steps.
 *
 * @throws GuestflowError NotFound
 */
export async function readOperation(session: Session, guest: string, kind: string, id: string): Promise<OperationDocument> {
  const workflowId = operationWorkflowId(guest, kind, id);
  const handle = session.client.workflow.getHandle(workflowId);
  const what = `operation ${kind}.${id} of guest ${guest}`;
  const description = await session.call(what, () => handle.describe());
  // Only a worker can tell the steps. If it is away, the answer has none.
  const progress = await session.call(what, () => query(session.client, workflowId, QUERIES.progress), 500).catch(() => undefined);
  const document = toDocument(guest, kind, id, {
    status: description.status.name,
    startTime: description.startTime,
    closeTime: description.closeTime,
  });
  return {
    ...document,
    ...(progress === undefined
      ? {}
      : { steps: progress.steps.map(({ name, state, summary }) => ({ name, state, ...defined({ summary }) })) }),
    ...(document.state === 'failed' ? await failureOf(session, what, handle) : {}),
  };
}

async function failureOf(
  session: Session,
  what: string,
  handle: { result(): Promise<unknown> },
): Promise<Pick<OperationDocument, 'error'>> {
  try {
    await session.call(what, () => handle.result());
    return {};
  } catch (error) {
    return error instanceof GuestflowError ? { error: { type: error.type, message: error.message } } : {};
  }
}

function partsOf(guest: string, workflowId: string): readonly string[] {
  const prefix = `${guestWorkflowId(guest)}/`;
  return workflowId.startsWith(prefix) ? workflowId.slice(prefix.length).split('/') : [];
}

function toDocument(
  guest: string,
  kind: string,
  id: string,
  { status, startTime, closeTime }: { status: Status; startTime: Date; closeTime: Date | undefined },
): OperationDocument {
  const state = status === 'RUNNING' ? 'pending' : status === 'COMPLETED' ? 'done' : 'failed';
  return {
    id: `${kind}.${id}`,
    guest,
    kind,
    state,
    startedAt: startTime.toISOString(),
    ...(closeTime === undefined ? {} : { endedAt: closeTime.toISOString() }),
  };
}
