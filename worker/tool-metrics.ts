/** Metrics of the tools that run on a dom0. */
import { Counter, Histogram, type Registry } from 'prom-client';
import type { RunObserver } from '../system/run.ts';

/** Adds the metrics to a registry. Returns what counts each run of a tool, for `createHost`. */
export function observeTools(registry: Registry): RunObserver {
  const registers = [registry];
  const runs = new Counter({
    name: 'guestflow_tool_runs_total',
    help: 'Runs of a tool on this dom0',
    labelNames: ['tool', 'outcome'],
    registers,
  });
  const seconds = new Histogram({
    name: 'guestflow_tool_run_seconds',
    help: 'How long runs of a tool took',
    labelNames: ['tool'],
    buckets: [0.1, 0.5, 1, 5, 15, 60, 300, 1_800, 7_200],
    registers,
  });
  return ({ tool, outcome, seconds: took }) => {
    runs.inc({ tool, outcome });
    seconds.observe({ tool }, took);
  };
}
