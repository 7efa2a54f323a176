/** Workflows that a *Cancel* in the UI must not end: if a ledger ended, all its reservations would be forgotten. */
import { CancellationScope, log } from '@temporalio/workflow';

/** Does the work out of reach of cancellation. Only *Terminate* ends it. */
export async function ignoringCancel<T>(work: () => Promise<T>): Promise<T> {
  void CancellationScope.current().cancelRequested.catch(() => {
    log.warn('a cancel is not heeded: this workflow keeps the books of others');
  });
  return CancellationScope.nonCancellable(work);
}
