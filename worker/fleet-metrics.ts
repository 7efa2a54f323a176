/**
 * What a control worker tells of the fleet, as metrics for Prometheus: guests by phase, what each dom0 has to sell, whether its worker asks for work. It is asked of
 * Temporal when somebody asks for it, at most once in half a minute. No label grows with the number of guests.
 */
import { Gauge, type Registry } from 'prom-client';
import type { Amounts } from '../contract/capacity.ts';
import { readDom0s, type Dom0Look } from '../client/dom0s/fleet.ts';
import { listGuests } from '../client/guests/list.ts';
import type { Session } from '../client/session.ts';

/** What was asked holds for so long, in milliseconds: a fleet of ten thousand guests is ten calls. */
const HOLDS_MS = 30_000;

/** The fleet as the metrics show it. */
export interface Fleet {
  readonly guests: readonly { readonly dom0: string; readonly phase: string }[];
  readonly dom0s: readonly Dom0Look[];
}

/** Asks Temporal. */
export async function readFleet(session: Session): Promise<Fleet> {
  const [guests, dom0s] = await Promise.all([listGuests(session), readDom0s(session)]);
  return { guests, dom0s };
}

/** Adds the metrics to a registry. While the fleet cannot be read, only `guestflow_fleet_readable` is there, and is 0. */
export function addFleetMetrics(registry: Registry, read: () => Promise<Fleet>, now: () => number = Date.now): void {
  let readAt = Number.NEGATIVE_INFINITY;
  let reading: Promise<void> | undefined;
  // All metrics are collected at once, and each must show the same fleet: the first one asks, the others wait for it.
  const collect = (): Promise<void> => (reading ??= refresh().finally(() => (reading = undefined)));
  const gauge = (name: string, help: string, labelNames: readonly string[] = []): Gauge =>
    new Gauge({ name: `guestflow_${name}`, help, labelNames: [...labelNames], registers: [registry], collect });
  const gaugesOf = (what: string, help: string): readonly Gauge[] =>
    ['memory_bytes', 'vcpus', 'disk_bytes'].map((unit) => gauge(`dom0_${what}_${unit}`, help, ['dom0']));

  const readable = gauge('fleet_readable', '1 if Temporal has answered what the fleet is');
  const guests = gauge('guests', 'Guests, by dom0 and phase', ['dom0', 'phase']);
  const sellable = gaugesOf('sellable', 'What the dom0 has to sell');
  const promised = gaugesOf('promised', 'What its ledger has promised to guests');
  const free = gaugesOf('free', 'What can still be sold; below 0 if more is promised than there is');
  const served = gauge('dom0_served', '1 if a worker has asked for work of this dom0 within a minute and a half', ['dom0']);
  const drained = gauge('dom0_drained', '1 if it takes no new guests', ['dom0']);

  async function refresh(): Promise<void> {
    if (now() - readAt < HOLDS_MS) return;
    const fleet = await read().catch(() => undefined);
    for (const each of [guests, ...sellable, ...promised, ...free, served, drained]) each.reset();
    readable.set(fleet === undefined ? 0 : 1);
    if (fleet === undefined) return;
    readAt = now();
    for (const { dom0, phase } of fleet.guests) guests.inc({ dom0, phase });
    for (const { capacity, isServed } of fleet.dom0s) {
      const labels = { dom0: capacity.host };
      served.set(labels, isServed ? 1 : 0);
      drained.set(labels, capacity.drained ? 1 : 0);
      setAll(sellable, labels, capacity.sellable);
      setAll(promised, labels, capacity.promised);
      setAll(free, labels, capacity.free);
    }
  }
}

function setAll([memory, vcpus, disk]: readonly Gauge[], labels: { readonly dom0: string }, amounts: Amounts | undefined): void {
  if (amounts === undefined) return;
  memory?.set(labels, amounts.memoryBytes);
  vcpus?.set(labels, amounts.vcpus);
  disk?.set(labels, amounts.diskBytes);
}
