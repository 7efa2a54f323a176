/** Serves the fleet as metrics for Prometheus. It is asked of Temporal when somebody asks for it, at most once in half a minute. */
import { Gauge, type Registry } from 'prom-client';
import type { Fleet } from '../client/fleet.ts';
import { FLEET_GAUGES } from './fleet-gauges.ts';

/** What was asked holds for so long, in milliseconds. */
const HOLDS_MS = 30_000;

/** Adds the metrics to a registry. While the fleet cannot be read, only `guestflow_fleet_readable` is there, and is 0. */
export function addFleetMetrics(registry: Registry, read: () => Promise<Fleet>, now: () => number = Date.now): void {
  let readAt = Number.NEGATIVE_INFINITY;
  let reading: Promise<void> | undefined;
  // All metrics are collected at once, and each must show the same fleet: the first one asks, the others wait for it.
  const collect = (): Promise<void> => (reading ??= refresh().finally(() => (reading = undefined)));
  const gauge = (name: string, help: string, labelNames: readonly string[] = []): Gauge =>
    new Gauge({ name: `guestflow_${name}`, help, labelNames: [...labelNames], registers: [registry], collect });
  const readable = gauge('fleet_readable', '1 if Temporal has answered what the fleet is');
  const gauges = FLEET_GAUGES.map((each) => ({ ...each, gauge: gauge(each.name, each.help, each.labels) }));

  async function refresh(): Promise<void> {
    if (now() - readAt < HOLDS_MS) return;
    const fleet = await read().catch(() => undefined);
    for (const each of gauges) each.gauge.reset();
    readable.set(fleet === undefined ? 0 : 1);
    if (fleet === undefined) return;
    readAt = now();
    for (const each of gauges) for (const [labels, value] of each.of(fleet, readAt)) each.gauge.inc(labels, value);
  }
}
