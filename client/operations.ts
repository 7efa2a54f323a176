/** Operations on a guest, as its workflow is asked for them. */
import type { Client, WorkflowUpdateHandle } from '@temporalio/client';
import { GUEST_UPDATES, guestWorkflowId } from '../contract/names.ts';
import type { OperationRequest, OperationResult } from '../contract/types.ts';

/** Asks a guest for an operation. Returns as soon as it was taken; one that was lost on its way says so by its result. */
export function startOperation(client: Client, guest: string, request: OperationRequest): Promise<WorkflowUpdateHandle<OperationResult>> {
  return client.workflow.getHandle(guestWorkflowId(guest)).startUpdate<OperationResult, [OperationRequest]>(GUEST_UPDATES.operate, {
    args: [request],
    updateId: request.id,
    waitForStage: 'ACCEPTED',
  });
}
