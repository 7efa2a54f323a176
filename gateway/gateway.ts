/** The gateway: a Web-standard `fetch` handler. It checks what comes in, has Temporal keep it, and answers. */
import { GuestflowError } from '../contract/errors.ts';
import { createHandler, type Answered, type Handler } from '../system/http/handler.ts';
import { jsonResponse, HttpRefusal } from '../system/http/problem.ts';
import type { Route } from '../system/http/router.ts';
import { refusalOf } from './http/refusal-of.ts';
import { webhookRoutes, type WebhookOptions } from './webhooks/routes.ts';

/** One line of log a request. */
export interface GatewayLog {
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}

export interface GatewayOptions
  extends Omit<WebhookOptions, 'body' | 'now' | 'stripePolicy'>, Partial<Pick<WebhookOptions, 'body' | 'now' | 'stripePolicy'>> {
  readonly log: GatewayLog;
  /** Told of each answer. Default: nobody is. */
  readonly observe?: ((answered: Answered) => void) | undefined;
  /** More routes: those of `/v1` and of the customer's page. */
  readonly routes?: readonly Route[];
  /** The answer to a request that is refused. Default, also where it gives undefined: a problem document. */
  readonly present?: ((refusal: HttpRefusal, request: Request) => Response | undefined) | undefined;
}

export type Gateway = Handler;

/** Longest body, and how long it may take. Stripe's events are below 100 KB. */
export const BODY_LIMITS = { bytes: 256 * 1024, ms: 5_000 } as const;

/** Makes the handler. */
export function createGateway({
  log,
  observe,
  routes: more = [],
  present,
  body = BODY_LIMITS,
  now = Date.now,
  stripePolicy = { pastDue: 'run' },
  ...options
}: GatewayOptions): Gateway {
  const health: Route = { method: 'GET', path: '/healthz', handle: () => jsonResponse(200, { ok: true }) };
  return createHandler({
    routes: [health, ...webhookRoutes({ ...options, body, now, stripePolicy }), ...more],
    present,
    refuse: (error, notes) => (error instanceof GuestflowError ? refusalOf(error) : defect(error, log, notes)),
    onAnswer: (answered) => {
      const { method, notes, status, ms } = answered;
      log[status >= 500 ? 'warn' : 'info']({ method, ...notes, status, ms }, 'request');
      observe?.(answered);
    },
  });
}

function defect(error: unknown, log: GatewayLog, notes: object): HttpRefusal {
  // A name and the place in the code: messages of unknown errors may quote the input.
  log.error({ ...notes, error: error instanceof Error ? error.name : typeof error, at: placeOf(error) }, 'a defect of the gateway');
  return new HttpRefusal(500, 'defect', 'this is a defect of guestflow; it is in its log');
}

function placeOf(error: unknown): string {
  const stack = error instanceof Error ? (error.stack ?? '') : '';
  return stack
    .split('\n')
    .filter((line) => /^\s+at /.test(line))
    .slice(0, 3)
    .map((line) => line.trim())
    .join(' < ');
}
