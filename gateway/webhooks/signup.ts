/** `POST /webhooks/signup`: Standard Webhooks of any billing system. */
import { Webhook, WebhookVerificationError } from 'standardwebhooks';
import type { BillingEvent, BillingStatements, OrderWishes } from '../../contract/billing.ts';
import { SIGNUP_TYPES, signupEventSchema, type SignupEvent } from '../../order/billing-events.ts';
import type { Catalogue } from './catalogue.ts';
import { check, invalid } from '../http/check.ts';
import { toBillingEvent } from './event.ts';
import { parseJson } from '../http/json.ts';
import { HttpRefusal } from '../../system/http/problem.ts';
import { shown } from './stripe/wishes.ts';
import { defined } from '../../contract/defined.ts';

/**
 * Checks the signature with each secret.
 *
 * @throws HttpRefusal 401, or 400 when the signature is too old or from the future
 */
export function verifySignup(text: string, headers: Headers, secrets: readonly string[]): void {
  const signed = {
    'webhook-id': headers.get('webhook-id') ?? '',
    'webhook-timestamp': headers.get('webhook-timestamp') ?? '',
    'webhook-signature': headers.get('webhook-signature') ?? '',
  };
  let reason = '';
  for (const secret of secrets) {
    try {
      new Webhook(secret).verify(text, signed, { jsonParse: false });
      return;
    } catch (error) {
      if (!(error instanceof WebhookVerificationError)) throw error;
      reason = error.message;
    }
  }
  if (reason.includes('too old'))
    throw new HttpRefusal(400, 'stale', 'the signature is older than five minutes: sign it anew for each attempt');
  if (reason.includes('too new'))
    throw new HttpRefusal(400, 'from-the-future', "the signature's time is in the future: look at the clock of the sender");
  throw new HttpRefusal(401, 'bad-signature', 'the signature is missing, or none of ours');
}

/**
 * The event of a body whose signature was checked; for one that is not for guestflow, why it is ignored.
 *
 * @throws HttpRefusal 400 or 422
 */
export function readSignup(text: string, id: string, catalogue: Catalogue, now: number): BillingEvent | string {
  const raw = parseJson(text);
  const type: unknown = typeof raw === 'object' && raw !== null && 'type' in raw ? raw.type : undefined;
  if (typeof type !== 'string') throw invalid([{ field: 'type', reason: 'is missing, or no text' }]);
  if (!SIGNUP_TYPES.some((known) => known === type)) return 'events of this type mean nothing here';
  const event = check(signupEventSchema, raw);
  return toBillingEvent(
    {
      source: 'signup',
      id,
      type,
      order: event.data.order,
      happenedAt: Date.parse(event.timestamp),
      body: text,
      says: statementsOf(event, catalogue),
    },
    now,
  );
}

function statementsOf(event: SignupEvent, catalogue: Catalogue): BillingStatements {
  switch (event.type) {
    case 'order.paid':
      return { life: 'active', ...planOf(event.data, catalogue), wishes: wishesOf(event.data) };
    case 'order.upgraded':
      return planOf(event.data, catalogue);
    case 'order.suspended':
      return { life: 'suspended' };
    case 'order.unsuspended':
      return { life: 'active' };
    case 'order.terminated':
      return { life: 'terminated' };
  }
}

/**
 * The plan that is paid for. One that there is not, or a price that stands for none, refuses nothing, as with Stripe: what is paid for is
 * taken, and shown with what to mend.
 */
function planOf(
  { plan, price }: { plan?: string | undefined; price?: string | undefined },
  catalogue: Catalogue,
): Pick<BillingStatements, 'plan' | 'bad'> {
  const found = plan === undefined ? catalogue.price(price ?? '') : catalogue.plan(plan);
  if (found !== undefined) return { plan: found };
  const reason =
    plan === undefined
      ? `is not known: price ${shown(price)} stands for none`
      : `is none: ${shown(plan)} is not among ${[...catalogue.plans.keys()].join(', ')}`;
  const mend =
    'send order.upgraded with a plan that there is, or add it to the file of plans or of prices and send the event anew, with a new id';
  return { bad: [{ field: 'plan', reason, mend }] };
}

function wishesOf({
  hostname,
  customer,
  sshKeys,
  passwordHash,
  dist,
  timezone,
}: Extract<SignupEvent, { type: 'order.paid' }>['data']): OrderWishes {
  return {
    hostname,
    sshKeys: sshKeys ?? [],
    ...(customer?.id === undefined ? {} : { customer: customer.id }),
    ...defined({ passwordHash, dist, timezone }),
  };
}
