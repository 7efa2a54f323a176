/** What the guests of a dom0 are told that is lost, or was found again, and the end of what was being done there. */
import type { Client } from '@temporalio/client';
import { GUEST_SIGNALS, guestWorkflowId, SEARCH_ATTRIBUTES, WORKFLOWS } from '../../contract/names.ts';
import type { Dom0Lost } from '../../contract/guest.ts';
import { signal } from '../../client/workflow-calls.ts';
import { Gate } from '../../system/gate.ts';
import { unlessMissing } from './refusals.ts';

const AT_ONCE = 10;

/** @param known guests that visibility may not show yet */
export async function tellGuests(client: Client, what: Dom0Lost, known: readonly string[]): Promise<void> {
  const names = new Set(known);
  const query = `WorkflowType = '${WORKFLOWS.guest}' AND ExecutionStatus = 'Running' AND ${SEARCH_ATTRIBUTES.dom0} = '${what.dom0}'`;
  for await (const { workflowId } of client.workflow.list({ query })) names.add(workflowId.slice(guestWorkflowId('').length));
  const gate = new Gate(AT_ONCE);
  await Promise.all(
    [...names].map((name) => gate.pass('', () => unlessMissing(signal(client, guestWorkflowId(name), GUEST_SIGNALS.dom0Lost, what)))),
  );
}

export async function endOperation(client: Client, { workflowId, reason }: { workflowId: string; reason: string }): Promise<void> {
  await unlessMissing(client.workflow.getHandle(workflowId).terminate(reason));
}
