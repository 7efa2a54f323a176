/** Which orders are at work on a dom0: what nobody waits for gives way to them. Temporal's server answers that, and no workflow is woken. */
import type { Client } from '@temporalio/client';
import { SEARCH_ATTRIBUTES, WORKFLOWS } from '../../contract/names.ts';

/** They make a guest's disk, and somebody waits for it. */
const ORDERS = [
  WORKFLOWS.provisionGuest,
  WORKFLOWS.reinstallGuest,
  WORKFLOWS.rescueGuest,
  WORKFLOWS.restoreGuest,
  WORKFLOWS.restoreElsewhere,
] as const;

/** Whether an order is at work there now. */
export async function areOrdersHere(client: Pick<Client, 'workflow'>, { dom0 }: { readonly dom0: string }): Promise<boolean> {
  const types = ORDERS.map((type) => `'${type}'`).join(', ');
  const query = `WorkflowType IN (${types}) AND ExecutionStatus = 'Running' AND ${SEARCH_ATTRIBUTES.dom0} = '${dom0}'`;
  return (await client.workflow.count(query)).count > 0;
}
