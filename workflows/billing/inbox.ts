/** Which events of an order have come. If the same event comes again, it changes nothing; if another body comes under a known id, it is refused. Pure. */
import type { BillingEvent, OrderProblem } from '../../contract/billing.ts';
import { defined } from '../../contract/defined.ts';

/** An event as it is remembered. */
export interface KnownEvent {
  readonly id: string;
  readonly type: string;
  readonly at: string;
  readonly receivedAt: string;
  readonly digest: string;
  readonly variant?: string;
  readonly meaning: string;
}

/** How many events are remembered. A forgotten event that comes again is older than what is known, so it changes nothing. */
const REMEMBERED = 100;
const PROBLEMS_KEPT = 20;

export type Verdict = 'new' | 'known' | 'conflict';

/** Whether an event is new, known, or an impostor of a known one. */
export function verdictOn(known: readonly KnownEvent[], event: BillingEvent): Verdict {
  const former = known.find(({ id }) => id === event.id);
  if (former === undefined) return 'new';
  if (former.digest === event.digest) return 'known';
  return former.variant !== event.variant && former.meaning === event.meaning ? 'known' : 'conflict';
}

/** The memory with a new event in it. */
export function remember(
  known: readonly KnownEvent[],
  { id, type, at, digest, variant, meaning }: BillingEvent,
  receivedAt: string,
): readonly KnownEvent[] {
  return [...known, { id, type, at, receivedAt, digest, meaning, ...defined({ variant }) }].slice(-REMEMBERED);
}

/** The list of refused events with one more; an impostor that is sent again is not listed again. */
export function withProblem(problems: readonly OrderProblem[], problem: OrderProblem): readonly OrderProblem[] {
  const isListed = problems.some(({ event, message }) => event === problem.event && message === problem.message);
  return isListed ? problems : [...problems, problem].slice(-PROBLEMS_KEPT);
}
