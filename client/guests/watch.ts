/** Watches a guest until nothing is being done on it, and tells why its order failed. */
import { setTimeout as sleep } from 'node:timers/promises';
import { GuestflowError, isErrorType } from '../../contract/errors.ts';
import { guestWorkflowId } from '../../contract/names.ts';
import type { GuestStatus } from '../../contract/guest.ts';
import type { Session } from '../session.ts';
import { isOrderOver, isSettled, readOperation, readProgress, type GuestProgress } from './look.ts';

/** A long wait survives the restart of a control worker, if it takes no longer than this. */
const WORKER_MAY_BE_AWAY_MS = 120_000;

/** How a guest is watched. */
export interface WatchOptions {
  /** Ends the watching; the operation goes on. */
  readonly signal?: AbortSignal;
  /** Default: 1 000. */
  readonly intervalMs?: number;
}

export interface WaitOptions extends WatchOptions {
  readonly onProgress?: (progress: GuestProgress) => void;
}

/** Why an order failed: the failure of its workflow, which tells more than the guest's state. */
export async function failureOf(session: Session, { name, phase, error, leftovers }: GuestStatus): Promise<GuestflowError | undefined> {
  const type = isErrorType(error?.type) ? error.type : 'ToolFailed';
  if (phase === 'needs-cleanup')
    return new GuestflowError('NeedsCleanup', error?.message ?? `guest ${name} needs cleaning up`, {
      leftovers,
      mend: `mend the cause, then: guestflow cleanup ${name}`,
    });
  if (phase === 'gone')
    return new GuestflowError('Busy', `guest ${name} is gone: it lived and was terminated`, { field: 'name', value: name });
  if (phase !== 'failed') return undefined;
  const known = new GuestflowError(type, error?.message ?? `guest ${name} failed`);
  const outcome: unknown = await session
    .call(`guest ${name}`, () => session.client.workflow.getHandle(guestWorkflowId(name)).result())
    .catch((failure: unknown) => failure);
  return outcome instanceof GuestflowError && outcome.type === known.type ? outcome : known;
}

/** The progress again and again, until nothing is being done on the guest. */
export async function* watch(
  session: Session,
  name: string,
  { signal, intervalMs = 1_000 }: WatchOptions = {},
): AsyncGenerator<GuestProgress, void> {
  let lastOperation: string | undefined;
  let lastAnswer: number | undefined;
  while (signal?.aborted !== true) {
    const progress = await readProgress(session, name, lastOperation).catch((error: unknown) => {
      if (
        lastAnswer !== undefined &&
        Date.now() - lastAnswer < WORKER_MAY_BE_AWAY_MS &&
        error instanceof GuestflowError &&
        error.type === 'Unreachable'
      )
        return undefined;
      throw error;
    });
    if (progress !== undefined) {
      lastAnswer = Date.now();
      lastOperation = progress.status.operation?.workflowId ?? lastOperation;
      yield progress;
      if (isSettled(progress.status)) return;
    }
    // An abort ends the sleep early: no error, the loop's condition sees it.
    await sleep(intervalMs, undefined, signal === undefined ? {} : { signal }).catch(() => undefined);
  }
}

/** Waits until the order of a guest is carried out, or has failed. Its first backup, which follows, is not waited for. */
export async function waitForOrder(session: Session, name: string, options: WaitOptions = {}): Promise<GuestStatus> {
  let order: string | undefined;
  for await (const progress of watch(session, name, options)) {
    const { status } = progress;
    if (!isOrderOver(status)) order = status.operation?.workflowId ?? order;
    options.onProgress?.(isOrderOver(status) ? await readOperation(session, status, order) : progress);
    if (isOrderOver(status)) return status;
  }
  throw new GuestflowError('Cancelled', `guest ${name}: the wait was interrupted; the guest is not`);
}

/** Waits until nothing is being done on the guest. */
export async function waitFor(session: Session, name: string, options: WaitOptions = {}): Promise<GuestStatus> {
  for await (const progress of watch(session, name, options)) {
    options.onProgress?.(progress);
    if (isSettled(progress.status)) return progress.status;
  }
  throw new GuestflowError('Cancelled', `guest ${name}: the wait was interrupted; the guest is not`);
}
