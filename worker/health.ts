/** Health and metrics of a worker over HTTP, on the loopback interface. */
import { collectDefaultMetrics, Counter, Histogram, Registry } from 'prom-client';
import { GuestflowError } from '../contract/errors.ts';
import { createHandler } from '../system/http/handler.ts';
import { HttpRefusal } from '../system/http/problem.ts';
import type { Route } from '../system/http/router.ts';
import { serve, type HttpServer } from '../system/http/server.ts';
import type { RunObserver } from '../system/run.ts';

const SETTING = 'GUESTFLOW_METRICS_PORT';

/** What a worker counts. */
export interface Metrics {
  readonly registry: Registry;
  /** For `createHost`: counts each run of a tool. */
  readonly observe: RunObserver;
}

/** Metrics of this process: those of Node, and tool runs by tool and outcome. */
export function createMetrics(): Metrics {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry, prefix: 'guestflow_' });
  const runs = new Counter({
    name: 'guestflow_tool_runs_total',
    help: 'Runs of a tool on this dom0',
    labelNames: ['tool', 'outcome'],
    registers: [registry],
  });
  const seconds = new Histogram({
    name: 'guestflow_tool_run_seconds',
    help: 'How long runs of a tool took',
    labelNames: ['tool'],
    buckets: [0.1, 0.5, 1, 5, 15, 60, 300, 1_800, 7_200],
    registers: [registry],
  });
  return {
    registry,
    observe: ({ tool, outcome, seconds: took }) => {
      runs.inc({ tool, outcome });
      seconds.observe({ tool }, took);
    },
  };
}

/**
 * Serves `/healthz` (the process lives), `/readyz` (200 when `isReady()`, else 503) and `/metrics` (Prometheus) on 127.0.0.1.
 *
 * @param port 0 for any free one.
 * @throws GuestflowError `InvalidInput` when the port is taken.
 */
export function serveHealth(port: number, registry: Registry, isReady: () => boolean): Promise<HttpServer> {
  const text = (status: number, body: string, type = 'text/plain'): Response =>
    new Response(body, { status, headers: { 'content-type': type } });
  const routes: Route[] = [
    { method: 'GET', path: '/healthz', handle: () => text(200, 'ok\n') },
    {
      method: 'GET',
      path: '/readyz',
      handle: () => (isReady() ? text(200, 'ready\n') : text(503, 'not ready: not connected to Temporal\n')),
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
