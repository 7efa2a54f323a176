/** The gateway: a Web-standard `fetch` handler. It checks what comes in, has Temporal keep it, and answers. */
import { GuestflowError } from '../contract/errors.ts';
import { jsonResponse, problemResponse, Refusal, refusalOf } from './http/problem.ts';
import { checkQuery, findRoute, type Route } from './http/router.ts';
import { webhookRoutes, type WebhookOptions } from './webhooks/webhooks.ts';

/** One line of log a request. */
export interface GatewayLog {
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}

export interface GatewayOptions
  extends Omit<WebhookOptions, 'body' | 'now' | 'stripePolicy'>, Partial<Pick<WebhookOptions, 'body' | 'now' | 'stripePolicy'>> {
  readonly log: GatewayLog;
  /** More routes: those of `/v1`. */
  readonly routes?: readonly Route[];
}

export type Gateway = (request: Request) => Promise<Response>;

/** Longest body, and how long it may take. Stripe's events are below 100 KB. */
export const BODY_LIMITS = { bytes: 256 * 1024, ms: 5_000 } as const;

/** Makes the handler. */
export function createGateway({
  log,
  routes: more = [],
  body = BODY_LIMITS,
  now = Date.now,
  stripePolicy = { pastDue: 'run' },
  ...options
}: GatewayOptions): Gateway {
  const health: Route = { method: 'GET', path: '/healthz', handle: () => jsonResponse(200, { ok: true }) };
  const routes = [health, ...webhookRoutes({ ...options, body, now, stripePolicy }), ...more];
  return async (request) => {
    const began = performance.now();
    const notes: Record<string, unknown> = {};
    const response = await answer(request, routes, notes).catch((error: unknown) => toResponse(error, log, notes));
    // The path is the route's, not the request's: what a sender writes there is nobody's to read.
    log[response.status >= 500 ? 'warn' : 'info'](
      { method: request.method, ...notes, status: response.status, ms: Math.round(performance.now() - began) },
      'request',
    );
    return response;
  };
}

async function answer(request: Request, routes: readonly Route[], notes: Record<string, unknown>): Promise<Response> {
  const url = new URL(request.url);
  const { route, path } = findRoute(routes, request.method, url.pathname);
  notes['route'] = route.path;
  checkQuery(route, url);
  return route.handle({ request, url, path, note: (fields) => Object.assign(notes, fields) });
}

function toResponse(error: unknown, log: GatewayLog, notes: Record<string, unknown>): Response {
  const refusal = error instanceof Refusal ? error : error instanceof GuestflowError ? refusalOf(error) : undefined;
  if (refusal === undefined) {
    // A name and the place in the code: messages of unknown errors may quote the input.
    log.error({ ...notes, error: error instanceof Error ? error.name : typeof error, at: placeOf(error) }, 'a defect of the gateway');
    return problemResponse(new Refusal(500, 'defect', 'this is a defect of guestflow; it is in its log'));
  }
  notes['problem'] = refusal.code;
  return problemResponse(refusal);
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
