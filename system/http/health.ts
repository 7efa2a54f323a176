/** Health and metrics of a process over HTTP, on the loopback interface. */
import { GuestflowError } from '../../contract/errors.ts';
import { createHandler } from './handler.ts';
import { HttpRefusal } from './problem.ts';
import type { Route } from './router.ts';
import { serve, type HttpServer } from './server.ts';

const SETTING = 'GUESTFLOW_METRICS_PORT';

/** What is served as metrics: a registry of prom-client. */
export interface MetricsText {
  metrics(): Promise<string>;
  readonly contentType: string;
}

/** Why a process cannot do its work just now; undefined when it can. Never throws. */
export type WhyNotReady = () => Promise<string | undefined>;

/**
 * Serves `/healthz` (the process lives), `/readyz` (200, or 503 with the reason) and `/metrics` (Prometheus) on 127.0.0.1.
 *
 * @param port 0 for any free one.
 * @param whyNotReady why it cannot do its work just now; undefined when it can
 * @throws GuestflowError `InvalidInput` when the port is taken.
 */
export function serveHealth(port: number, registry: MetricsText, whyNotReady: WhyNotReady): Promise<HttpServer> {
  const text = (status: number, body: string, type = 'text/plain'): Response =>
    new Response(body, { status, headers: { 'content-type': type } });
  const routes: Route[] = [
    { method: 'GET', path: '/healthz', handle: () => text(200, 'ok\n') },
    {
      method: 'GET',
      path: '/readyz',
      handle: async () => {
        const reason = await whyNotReady();
        return reason === undefined ? text(200, 'ready\n') : text(503, `not ready: ${reason}\n`);
      },
    },
    { method: 'GET', path: '/metrics', handle: async () => text(200, await registry.metrics(), registry.contentType) },
  ];
  const refuse = (): HttpRefusal => new HttpRefusal(500, 'defect', 'the metrics could not be collected');
  return serve(createHandler({ routes, refuse }), { port, setting: SETTING });
}

/**
 * The port in `GUESTFLOW_METRICS_PORT`; undefined when it is not set: no server then.
 *
 * @throws GuestflowError `InvalidInput` when it is no port.
 */
export function metricsPort(env: NodeJS.ProcessEnv = process.env): number | undefined {
  const text = env[SETTING] ?? '';
  if (text === '') return undefined;
  const port = Number(text);
  if (!/^\d{1,5}$/.test(text) || port < 1 || port > 65_535) {
    throw new GuestflowError('InvalidInput', `${SETTING}: "${text}" is no port.`, {
      field: SETTING,
      value: text,
    });
  }
  return port;
}
