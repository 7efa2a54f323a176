/** Sign-in tickets of the customer's page: each is used once, whichever gateway is asked. */
import { WorkflowExecutionAlreadyStartedError } from '@temporalio/client';
import { CONTROL_QUEUE, ticketWorkflowId, WORKFLOWS } from '../contract/names.ts';
import type { Session } from './session.ts';

/**
 * Uses a ticket up. Temporal starts one workflow of an id, and remembers it for as long as the namespace keeps histories (a day at least; a ticket is good for
 * minutes): so only the first of several askers is told `true`. No worker needs to be there for that.
 *
 * @param id of the ticket: 1-64 letters, digits, hyphens, underscores
 * @returns false when it was used before
 * @throws GuestflowError Unreachable
 */
export async function spendTicket(session: Session, id: string): Promise<boolean> {
  const spend = async (): Promise<boolean> => {
    try {
      await session.client.workflow.start(WORKFLOWS.spendTicket, {
        workflowId: ticketWorkflowId(id),
        taskQueue: CONTROL_QUEUE,
        workflowIdReusePolicy: 'REJECT_DUPLICATE',
        workflowIdConflictPolicy: 'FAIL',
        // Ended by the server where no worker is there to do so.
        workflowExecutionTimeout: '1 hour',
        staticSummary: 'a sign-in to the customer page',
      });
      return true;
    } catch (error) {
      if (error instanceof WorkflowExecutionAlreadyStartedError) return false;
      throw error;
    }
  };
  return session.call('the sign-in', spend);
}
