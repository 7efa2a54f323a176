/** `POST /webhooks/stripe`: the signature, checked by Stripe's own library, and the event of a checked body. */
import Stripe from 'stripe';
import type { BillingEvent } from '../../../contract/billing.ts';
import type { Catalogue } from '../catalogue.ts';
import { check } from '../../http/check.ts';
import { TOLERANCE_SECONDS, toBillingEvent } from '../event.ts';
import { canonical } from '../../../contract/canonical.ts';
import { parseJson } from '../../http/json.ts';
import { HttpRefusal } from '../../../system/http/problem.ts';
import { meaningOf, type StripePolicy } from './meaning.ts';
import { stripeEventSchema } from './shape.ts';

export type { StripePolicy } from './meaning.ts';

/** The library then leaves the time to us: it knows of signatures that are too old, not of those from the future. */
const ANY_TIME = 0;

/** `t=1700000000,v1=…,v1=…`: the library throws errors of Node's own on some that are not so. */
const SIGNATURE = /^[a-z]\w{0,15}=\w{1,200}(,[a-z]\w{0,15}=\w{1,200}){0,15}$/;

/**
 * Checks the signature with each secret: while one is rolled, Stripe signs with both.
 *
 * @param now milliseconds since 1970
 * @throws HttpRefusal 401, or 400 when the signature is too old or from the future
 */
export function verifyStripe(text: string, headers: Headers, secrets: readonly string[], now: number): void {
  const header = headers.get('stripe-signature') ?? '';
  if (!SIGNATURE.test(header) || !secrets.some((secret) => isSignedWith(secret, text, header)))
    throw new HttpRefusal(401, 'bad-signature', 'the signature is missing, or none of ours');
  const age = now / 1_000 - signedAt(header);
  if (!Number.isFinite(age)) throw new HttpRefusal(401, 'bad-signature', 'the signature has no time');
  if (age > TOLERANCE_SECONDS) throw new HttpRefusal(400, 'stale', 'the signature is older than five minutes');
  if (age < -TOLERANCE_SECONDS)
    throw new HttpRefusal(400, 'from-the-future', "the signature's time is in the future: look at the clock of this machine");
}

function isSignedWith(secret: string, text: string, header: string): boolean {
  try {
    return Stripe.webhooks.signature?.verifyHeader(text, header, secret, ANY_TIME) ?? false;
  } catch (error) {
    if (error instanceof Stripe.errors.StripeSignatureVerificationError) return false;
    throw error;
  }
}

/** The time that the library has found in the header: of several the last. */
function signedAt(header: string): number {
  return Number.parseInt(
    header
      .split(',')
      .map((item) => item.split('='))
      .filter(([key]) => key === 't')
      .at(-1)?.[1] ?? '',
    10,
  );
}

/**
 * The event of a body whose signature was checked; for one that is not for guestflow, why it is ignored.
 *
 * @throws HttpRefusal 400 or 422
 */
export function readStripe(text: string, catalogue: Catalogue, policy: StripePolicy, now: number): BillingEvent | string {
  // Keys of metadata are anybody's.
  const raw = parseJson(text, { takesProto: true });
  // Events of the second kind (`v2.core.event`) hold no object.
  if (typeof raw === 'object' && raw !== null && 'object' in raw && raw.object !== 'event') return 'it is no event with its object';
  const event = check(stripeEventSchema, raw);
  const news = { type: event.type, object: event.data.object, previous: event.data.previous_attributes };
  const meaning = meaningOf(news, catalogue, policy);
  if (typeof meaning === 'string') return meaning;
  // How many endpoints have yet to get the event differs from delivery to delivery.
  const { pending_webhooks: _count, ...same } = event;
  return toBillingEvent(
    {
      source: 'stripe',
      id: event.id,
      type: event.type,
      happenedAt: event.created * 1_000,
      body: canonical(same),
      variant: typeof event.api_version === 'string' ? event.api_version.slice(0, 64) : undefined,
      ...meaning,
    },
    now,
  );
}
