/** An event of a sender, made ready for the workflow of its order. */
import type { BillingEvent, BillingStatements } from '../../contract/billing.ts';
import { canonical } from '../../contract/canonical.ts';
import { sha256 } from '../http/json.ts';
import { HttpRefusal } from '../../system/http/problem.ts';
import { defined } from '../../contract/defined.ts';

/** Seconds by which a sender's clock may differ from ours, and for which a signature counts. */
export const TOLERANCE_SECONDS = 300;

/** Ids of events become ids of updates. */
const EVENT_ID = /^[\x21-\x7e]{1,200}$/;

export interface RawEvent {
  readonly source: 'stripe' | 'signup';
  /** As the sender gives it. */
  readonly id: string;
  readonly type: string;
  readonly order: string;
  /** Milliseconds since 1970. */
  readonly happenedAt: number;
  /** What must be the same when the event comes again. */
  readonly body: string;
  readonly variant?: string | undefined;
  readonly says: BillingStatements;
  readonly onlyIfKnown?: true;
}

/**
 * The event, with its digests.
 *
 * @param now milliseconds since 1970
 * @throws HttpRefusal when its id cannot be one, or it is from the future: it would win over all that comes until then
 */
export function toBillingEvent(
  { source, id, type, order, happenedAt, body, variant, says, onlyIfKnown }: RawEvent,
  now: number,
): BillingEvent {
  if (!EVENT_ID.test(id))
    throw new HttpRefusal(422, 'invalid', 'the id of the event must be 1-200 printable characters without blanks', { field: 'id' });
  if (happenedAt > now + TOLERANCE_SECONDS * 1_000)
    throw new HttpRefusal(400, 'from-the-future', 'the event says that it happens in the future', { field: 'timestamp' });
  return {
    id: `${source}/${id}`,
    type,
    order,
    at: new Date(happenedAt).toISOString(),
    digest: sha256(body),
    meaning: sha256(canonical({ type, order, happenedAt, says })),
    says,
    ...defined({ variant, onlyIfKnown }),
  };
}
