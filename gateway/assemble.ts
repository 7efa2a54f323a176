/** Puts a gateway together from its configuration and a connection to Temporal. */
import type { Session } from '../client/session.ts';
import { createEventSink } from './webhooks/event-sink.ts';
import type { GatewayConfiguration } from './configuration.ts';
import { BODY_LIMITS, createGateway, type Gateway, type GatewayLog, type GatewayOptions } from './gateway.ts';
import { createGuestApi } from './v1/temporal-guests.ts';
import { v1Routes } from './v1/routes.ts';

/** An answer comes within a second, whatever Temporal does. */
export const ANSWER_MS = 950;

export interface AssembleOptions {
  readonly configuration: GatewayConfiguration;
  readonly session: () => Promise<Session>;
  readonly log: GatewayLog;
  readonly observe?: GatewayOptions['observe'];
  /** Milliseconds that Temporal has to take an event. Default: 950. */
  readonly answerMs?: number | undefined;
}

export function assembleGateway({ configuration, session, log, observe, answerMs = ANSWER_MS }: AssembleOptions): Gateway {
  const { tokens, catalogue, ...webhooks } = configuration;
  return createGateway({
    ...webhooks,
    catalogue,
    log,
    observe,
    events: createEventSink(session, answerMs),
    routes: v1Routes({ guests: createGuestApi(session), plans: catalogue.plans, tokens: () => tokens, body: BODY_LIMITS }),
  });
}
