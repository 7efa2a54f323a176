/** The activity of the watch: a look at the fleet. */
import { readFleet } from '../../../client/fleet.ts';
import { readTroubled } from '../../../client/billing-orders.ts';
import type { Session } from '../../../client/session.ts';
import type { ProblemLook } from '../../../contract/watch.ts';
import { NO_OPERATORS, type Operators } from '../notify/operators.ts';
import { problemsOf } from './problems.ts';

// The type is inferred: workflows import it to call activities by name.
// eslint-disable-next-line @typescript-eslint/explicit-module-boundary-types
export function createWatchActivities(session: Session, { channels, silentMs }: Pick<Operators, 'channels' | 'silentMs'> = NO_OPERATORS) {
  return {
    /** What is wrong now. It asks only Temporal. */
    async lookForProblems(): Promise<ProblemLook> {
      if (channels.length === 0) return { channels, silentMs, groups: [] };
      const [fleet, orders] = await Promise.all([readFleet(session), readTroubled(session)]);
      return { channels, silentMs, groups: problemsOf(fleet, orders, Date.now()) };
    },
  };
}

export type WatchActivities = ReturnType<typeof createWatchActivities>;
