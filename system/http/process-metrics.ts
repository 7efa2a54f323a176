/** Metrics of a process of Node, in a registry of its own. */
import { collectDefaultMetrics, Registry } from 'prom-client';

/** Gauges whose names end as only a counter's may: whoever checks names finds fault with them, and what they count is of use to nobody here. */
const MISNAMED = ['active_resources_total', 'active_handles_total', 'active_requests_total'];

/** A registry with the metrics of this process: CPU time, memory, event loop, garbage collection. */
export function createRegistry(): Registry {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry, prefix: 'guestflow_' });
  for (const name of MISNAMED) registry.removeSingleMetric(`guestflow_nodejs_${name}`);
  return registry;
}
