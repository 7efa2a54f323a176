/** Metrics of a dom0's worker. */
import { collectDefaultMetrics, Counter, Histogram, Registry } from 'prom-client';
import type { RunObserver } from '../system/run.ts';

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
