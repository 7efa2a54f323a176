/** Cancelling what is being done on a guest, and what came of that: it may have ended before, and an undo may not finish. */
import type { Guestflow } from '../client/index.ts';
import { GuestflowError, isErrorType } from '../contract/errors.ts';
import type { GuestStatus } from '../contract/guest.ts';

type Running = NonNullable<GuestStatus['operation']>;

/** Waits for the end of an operation, whatever waits behind it. Returns the guest's status then. */
async function afterIt(flow: Guestflow, name: string, { workflowId }: Running, signal: AbortSignal): Promise<GuestStatus> {
  for await (const { status } of flow.watch(name, { signal })) {
    if (status.operation?.workflowId !== workflowId) return status;
  }
  return flow.status(name);
}

/**
 * Waits until an operation that was cancelled has come to its end.
 *
 * @returns `undone`, or `ended` when it had come to its end before the cancel reached it
 * @throws GuestflowError NeedsCleanup when its undo could not finish; of its own type when it had failed before
 */
export async function awaitCancelled(flow: Guestflow, name: string, running: Running, signal: AbortSignal): Promise<'undone' | 'ended'> {
  const { phase, error, leftovers } = await afterIt(flow, name, running, signal);
  // One that an earlier operation has left says nothing of this one.
  const failure = error !== undefined && (error.operation ?? running.workflowId) === running.workflowId ? error : undefined;
  if (failure === undefined) return 'ended';
  if (failure.type === 'Cancelled') return 'undone';
  const mend = phase === 'needs-cleanup' ? `mend the cause, then: guestflow cleanup ${name}` : 'mend the cause, then ask for it again';
  throw new GuestflowError(isErrorType(failure.type) ? failure.type : 'ToolFailed', failure.message, {
    ...(failure.type === 'NeedsCleanup' ? { leftovers, mend } : {}),
  });
}
