/** The webhooks that come in. */
import { signupJsonSchema } from '../../order/billing-events.ts';
import type { BillingEvent } from '../../contract/billing.ts';
import { billingWorkflowId } from '../../contract/names.ts';
import type { EventSink } from './event-sink.ts';
import { readJsonText, type BodyLimits } from '../../system/http/body.ts';
import type { Catalogue } from './catalogue.ts';
import { jsonResponse, HttpRefusal } from '../../system/http/problem.ts';
import type { Call, Route } from '../../system/http/router.ts';
import { readSignup, verifySignup } from './signup.ts';
import { readStripe, verifyStripe, type StripePolicy } from './stripe/signed-events.ts';

export interface WebhookOptions {
  readonly events: EventSink;
  readonly catalogue: Catalogue;
  readonly stripeSecrets: readonly string[];
  readonly signupSecrets: readonly string[];
  readonly stripePolicy: StripePolicy;
  readonly body: BodyLimits;
  readonly now: () => number;
}

/** The routes of webhooks for which there are secrets, and what is published of them. */
export function webhookRoutes(options: WebhookOptions): Route[] {
  const schema = signupJsonSchema();
  const routes: Route[] = [
    {
      method: 'GET',
      path: '/schemas/signup.json',
      handle: () => jsonResponse(200, schema, { 'content-type': 'application/schema+json', 'cache-control': 'max-age=300' }),
    },
  ];
  if (options.stripeSecrets.length > 0)
    routes.push({ method: 'POST', path: '/webhooks/stripe', handle: (call) => takeStripe(call, options) });
  if (options.signupSecrets.length > 0)
    routes.push({ method: 'POST', path: '/webhooks/signup', handle: (call) => takeSignup(call, options) });
  return routes;
}

async function takeStripe(call: Call, { stripeSecrets, stripePolicy, catalogue, body, now, events }: WebhookOptions): Promise<Response> {
  const text = await readJsonText(call.request, body);
  verifyStripe(text, call.request.headers, stripeSecrets, now());
  return answer(call, readStripe(text, catalogue, stripePolicy, now()), events);
}

async function takeSignup(call: Call, { signupSecrets, catalogue, body, now, events }: WebhookOptions): Promise<Response> {
  const text = await readJsonText(call.request, body);
  verifySignup(text, call.request.headers, signupSecrets);
  return answer(call, readSignup(text, call.request.headers.get('webhook-id') ?? '', catalogue, now()), events);
}

/** 200 when the event is durably in Temporal. A sender that gets anything else tries again. */
async function answer(call: Call, event: BillingEvent | string, events: EventSink): Promise<Response> {
  if (typeof event === 'string') {
    call.note({ ignored: event });
    return jsonResponse(200, { ignored: event });
  }
  call.note({ event: event.id, type: event.type, order: event.order });
  const { verdict, ...taken } = await events.deliver(event);
  if (verdict === 'conflict')
    throw new HttpRefusal(409, 'event-conflict', 'an event of this id was taken before with another body; this one changed nothing', {
      event: event.id,
      order: event.order,
    });
  if (verdict === 'unknown') {
    const ignored = 'it has nothing of a guest, and its order is none that is known';
    call.note({ ignored });
    return jsonResponse(200, { ignored });
  }
  call.note({ guest: taken.guest, workflow: billingWorkflowId(taken.order) });
  return jsonResponse(200, taken);
}
