/** Which orders are at work on a dom0: what nobody waits for gives way to them. Temporal's server answers that, and no workflow is woken. */
import { sleep } from '@temporalio/activity';
import type { Client } from '@temporalio/client';
import { SEARCH_ATTRIBUTES, WORKFLOWS } from '../../contract/names.ts';

/** What is waited for on which dom0. */
export interface OrdersWatch {
  readonly dom0: string;
  readonly until: 'one is here' | 'none is here';
  /** At most so many, and less than a call may take. */
  readonly seconds: number;
}

/** They make a guest's disk, and somebody waits for it. */
const ORDERS = [
  WORKFLOWS.provisionGuest,
  WORKFLOWS.reinstallGuest,
  WORKFLOWS.rescueGuest,
  WORKFLOWS.restoreGuest,
  WORKFLOWS.restoreElsewhere,
] as const;
const POLL_MS = 3_000;

/** Whether an order is at work there: once it is as is waited for, or when the time is over. */
export async function areOrdersHere(client: Pick<Client, 'workflow'>, { dom0, until, seconds }: OrdersWatch): Promise<boolean> {
  const types = ORDERS.map((type) => `'${type}'`).join(', ');
  const query = `WorkflowType IN (${types}) AND ExecutionStatus = 'Running' AND ${SEARCH_ATTRIBUTES.dom0} = '${dom0}'`;
  const endsAt = Date.now() + seconds * 1_000;
  for (;;) {
    const isHere = (await client.workflow.count(query)).count > 0;
    if (isHere === (until === 'one is here') || Date.now() + POLL_MS > endsAt) return isHere;
    // A worker that is stopped does not wait for the end of a look.
    await sleep(POLL_MS);
  }
}
