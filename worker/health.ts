/** Health and metrics of a worker over HTTP, on the loopback interface. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { collectDefaultMetrics, Counter, Histogram, Registry } from 'prom-client';
import type { RunObserver } from '../system/run.ts';
import { GuestflowError } from '../contract/errors.ts';

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

/** An HTTP server that runs. */
export interface HealthServer {
  readonly port: number;
  close(): Promise<void>;
}

/**
 * Serves `/healthz` (the process lives), `/readyz` (200 when `isReady()`, else 503) and `/metrics` (Prometheus) on 127.0.0.1.
 *
 * @param port 0 for any free one.
 * @throws GuestflowError `InvalidInput` when the port is taken.
 */
export async function serveHealth(port: number, registry: Registry, isReady: () => boolean): Promise<HealthServer> {
  const server = createServer((request, response) => {
    const path = new URL(request.url ?? '/', 'http://localhost').pathname;
    const answer = (status: number, text: string, type = 'text/plain'): void => {
      response.writeHead(status, { 'content-type': type }).end(text);
    };
    if (request.method !== 'GET') answer(405, 'only GET\n');
    else if (path === '/healthz') answer(200, 'ok\n');
    else if (path === '/readyz') answer(isReady() ? 200 : 503, isReady() ? 'ready\n' : 'not ready: not connected to Temporal\n');
    else if (path === '/metrics') {
      registry.metrics().then(
        (text) => {
          answer(200, text, registry.contentType);
        },
        () => {
          answer(500, 'the metrics could not be collected\n');
        },
      );
    } else answer(404, 'try /healthz, /readyz or /metrics\n');
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => {
      const taken = error.code === 'EADDRINUSE';
      reject(
        taken
          ? new GuestflowError('InvalidInput', `GUESTFLOW_METRICS_PORT: port ${String(port)} is taken.`, {
              field: 'GUESTFLOW_METRICS_PORT',
              value: String(port),
            })
          : error,
      );
    });
    server.listen(port, '127.0.0.1', resolve);
  });
  server.unref();
  return {
    port: (server.address() as AddressInfo).port,
    close: () =>
      new Promise((resolve) => {
        server.close(() => {
          resolve();
        });
        server.closeAllConnections();
      }),
  };
}

/**
 * The port in `GUESTFLOW_METRICS_PORT`; undefined when it is not set: no server then.
 *
 * @throws GuestflowError `InvalidInput` when it is no port.
 */
export function metricsPort(env: NodeJS.ProcessEnv = process.env): number | undefined {
  const text = env['GUESTFLOW_METRICS_PORT'] ?? '';
  if (text === '') return undefined;
  const port = Number(text);
  if (!/^\d{1,5}$/.test(text) || port < 1 || port > 65_535) {
    throw new GuestflowError('InvalidInput', `GUESTFLOW_METRICS_PORT: "${text}" is no port.`, {
      field: 'GUESTFLOW_METRICS_PORT',
      value: text,
    });
  }
  return port;
}
