/** What is being done in the fleet: the operations that run, from Temporal's visibility store. They may be a second old. */
import { defineSearchAttributeKey } from '@temporalio/common';
import { SEARCH_ATTRIBUTES, WORKFLOWS } from '../../contract/names.ts';
import { OPERATIONS } from '../../contract/operations.ts';
import type { Session } from '../session.ts';

/** An operation that runs. */
export interface RunningOperation {
  readonly guest: string;
  /** `provision`, `backup`, … */
  readonly kind: string;
  readonly dom0: string;
  /** ISO 8601. */
  readonly startedAt: string;
  readonly workflowId: string;
}

const DOM0_KEY = defineSearchAttributeKey(SEARCH_ATTRIBUTES.dom0, 'KEYWORD');

const TYPES = [
  ...new Set<string>([
    WORKFLOWS.provisionGuest,
    WORKFLOWS.adoptGuest,
    WORKFLOWS.removeGuest,
    ...Object.values(OPERATIONS).map(({ workflow }) => workflow),
  ]),
];
const QUERY = `ExecutionStatus = 'Running' AND WorkflowType IN (${TYPES.map((type) => `'${type}'`).join(', ')})`;

/** All operations that run, the longest first. Throws GuestflowError Unreachable. */
export async function listRunning(session: Session): Promise<RunningOperation[]> {
  const found: RunningOperation[] = [];
  await session.call('the operations that run', async () => {
    for await (const { workflowId, startTime, typedSearchAttributes } of session.client.workflow.list({ query: QUERY })) {
      // guest/NAME/KIND/ID
      const [, guest = '', kind = ''] = workflowId.split('/');
      const dom0 = typedSearchAttributes.get(DOM0_KEY);
      found.push({ guest, kind, dom0: dom0 ?? '', startedAt: startTime.toISOString(), workflowId });
    }
  });
  return found.sort((a, b) => (a.startedAt < b.startedAt ? -1 : 1));
}
