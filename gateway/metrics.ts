/** What a gateway counts: its answers, by route and status. Paths that somebody else chose are no labels. */
import { Counter, Histogram, type Registry } from 'prom-client';
import type { Answered } from '../system/http/handler.ts';
import { createRegistry } from '../system/http/process-metrics.ts';

export interface GatewayMetrics {
  readonly registry: Registry;
  readonly observe: (answered: Answered) => void;
}

const METHODS = new Set(['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS']);

export function createGatewayMetrics(): GatewayMetrics {
  const registry = createRegistry();
  const registers = [registry];
  const answers = new Counter({
    name: 'guestflow_gateway_answers_total',
    help: 'Answers to requests',
    labelNames: ['route', 'method', 'status'],
    registers,
  });
  const seconds = new Histogram({
    name: 'guestflow_gateway_answer_seconds',
    help: 'How long answers took',
    labelNames: ['route'],
    // A billing system gives up after some seconds, and sends again.
    buckets: [0.01, 0.05, 0.1, 0.5, 1, 2, 5, 10, 30],
    registers,
  });
  return {
    registry,
    observe: ({ method, status, ms, notes }) => {
      const route = typeof notes['route'] === 'string' ? notes['route'] : 'none';
      answers.inc({ route, method: METHODS.has(method) ? method : 'other', status: String(status) });
      seconds.observe({ route }, ms / 1000);
    },
  };
}
