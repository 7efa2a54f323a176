/** Puts a gateway together from its configuration and a connection to Temporal. */
import type { Session } from '../client/session.ts';
import { spendTicket } from '../client/tickets.ts';
import { defined } from '../contract/defined.ts';
import type { ConsoleHub } from './console/hub.ts';
import type { FilesHub } from './files/hub.ts';
import { createEventSink } from './webhooks/event-sink.ts';
import type { GatewayConfiguration } from './configuration.ts';
import { BODY_LIMITS, createGateway, type Gateway, type GatewayLog, type GatewayOptions } from './gateway.ts';
import { within } from './lazy-session.ts';
import { createPage } from './page/page.ts';
import { createGuestApi } from './v1/temporal-guests.ts';
import { v1Routes } from './v1/routes.ts';

/** An answer comes within a second, whatever Temporal does. */
export const ANSWER_MS = 950;

/** If a sign-in takes longer, the answer is 503. */
const SPEND_MS = 5_000;

export interface AssembleOptions {
  readonly configuration: GatewayConfiguration;
  readonly session: () => Promise<Session>;
  readonly log: GatewayLog;
  readonly observe?: GatewayOptions['observe'];
  /** Milliseconds that Temporal has to take an event. Default: 950. */
  readonly answerMs?: number | undefined;
  /** The consoles of this process, which outlive its files. Default: it opens none. */
  readonly consoles?: ConsoleHub | undefined;
  /** The opened backups of this process. Default: it opens none. */
  readonly files?: FilesHub | undefined;
  /** When it fires, no request waits for news any longer. Default: none does it. */
  readonly stopping?: AbortSignal | undefined;
}

export function assembleGateway({
  configuration,
  session,
  log,
  observe,
  answerMs = ANSWER_MS,
  consoles,
  files,
  stopping,
}: AssembleOptions): Gateway {
  const { tokens, catalogue, page: set, ...webhooks } = configuration;
  const guests = createGuestApi(session);
  const spend = (id: string): Promise<boolean> => within(SPEND_MS, async () => spendTicket(await session(), id));
  const page =
    set === undefined ? undefined : createPage({ configuration: set, guests, spendTicket: spend, body: BODY_LIMITS, consoles, files });
  const v1 = v1Routes({
    guests,
    plans: catalogue.plans,
    tokens: () => tokens,
    body: BODY_LIMITS,
    consoles,
    stopping,
    ...defined({ signInLink: page?.signInLink }),
  });
  return createGateway({
    ...webhooks,
    catalogue,
    log,
    observe,
    events: createEventSink(session, answerMs),
    routes: [...v1, ...(page?.routes ?? [])],
    ...defined({ present: page?.present }),
  });
}
