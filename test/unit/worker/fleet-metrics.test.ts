/** What is told of the fleet at /metrics, and the alert rules that read it. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Registry } from 'prom-client';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { createGatewayMetrics } from '../../../gateway/metrics.ts';
import { addFleetMetrics, type Fleet } from '../../../worker/fleet-metrics.ts';
import { createMetrics } from '../../../worker/tool-metrics.ts';

const GiB = 2 ** 30;
const amounts = (memory: number): { memoryBytes: number; vcpus: number; diskBytes: number } => ({
  memoryBytes: memory * GiB,
  vcpus: 4,
  diskBytes: 100 * GiB,
});
const FLEET: Fleet = {
  guests: [
    { dom0: 'xen1', phase: 'running' },
    { dom0: 'xen1', phase: 'running' },
    { dom0: 'xen2', phase: 'needs-cleanup' },
  ],
  dom0s: [
    {
      isServed: true,
      capacity: {
        host: 'xen1',
        drained: false,
        sellable: amounts(8),
        promised: amounts(6),
        byHand: amounts(0),
        guests: 2,
        free: amounts(2),
      },
    },
    { isServed: false, capacity: { host: 'xen2', drained: true, promised: amounts(1), byHand: amounts(0), guests: 1 } },
  ],
};

function fleet(read: () => Promise<Fleet>): { registry: Registry; clock: { ms: number } } {
  const [registry, clock] = [new Registry(), { ms: 0 }];
  addFleetMetrics(registry, read, () => clock.ms);
  return { registry, clock };
}

describe('metrics of the fleet', () => {
  it('count guests by dom0 and phase, and say what each dom0 has to sell; of one that has not registered only what is known', async () => {
    const text = await fleet(() => Promise.resolve(FLEET)).registry.metrics();
    for (const line of [
      'guestflow_fleet_readable 1',
      'guestflow_guests{dom0="xen1",phase="running"} 2',
      'guestflow_guests{dom0="xen2",phase="needs-cleanup"} 1',
      `guestflow_dom0_free_memory_bytes{dom0="xen1"} ${String(2 * GiB)}`,
      'guestflow_dom0_served{dom0="xen2"} 0',
      'guestflow_dom0_drained{dom0="xen2"} 1',
    ])
      expect(text.split('\n')).toContain(line);
    expect(text).not.toContain('sellable_memory_bytes{dom0="xen2"}');
  });

  it('are asked of Temporal once in half a minute, and once for those who ask at the same time', async () => {
    let asked = 0;
    const { registry, clock } = fleet(() => {
      asked += 1;
      return Promise.resolve(FLEET);
    });
    await Promise.all([registry.metrics(), registry.metrics()]);
    clock.ms = 29_000;
    await registry.metrics();
    expect(asked).toBe(1);
    clock.ms = 31_000;
    expect(await registry.metrics()).toContain('guestflow_guests{dom0="xen1",phase="running"} 2');
    expect(asked).toBe(2);
  });

  it('of a fleet that cannot be read say so, and nothing that is not known; they are back with the next answer', async () => {
    let isUp = false;
    const { registry } = fleet(() => (isUp ? Promise.resolve(FLEET) : Promise.reject(new Error('no Temporal'))));
    const text = await registry.metrics();
    expect(text).toContain('guestflow_fleet_readable 0');
    expect(text).not.toMatch(/^guestflow_(guests|dom0_\w+)\{/m);
    isUp = true;
    expect(await registry.metrics()).toContain('guestflow_fleet_readable 1');
  });
});

describe('the gateway', () => {
  it('counts its answers by route and status; a path or method that somebody made up is no label', async () => {
    const { registry, observe } = createGatewayMetrics();
    observe({ method: 'POST', status: 200, ms: 12, notes: { route: '/webhooks/stripe' } });
    observe({ method: 'X'.repeat(500), status: 404, ms: 1, notes: {} });
    const text = await registry.metrics();
    expect(text).toContain('guestflow_gateway_answers_total{route="/webhooks/stripe",method="POST",status="200"} 1');
    expect(text).toContain('guestflow_gateway_answers_total{route="none",method="other",status="404"} 1');
    expect(text).toContain('guestflow_gateway_answer_seconds_count{route="/webhooks/stripe"} 1');
  });
});

interface Rules {
  readonly groups: readonly {
    readonly rules: readonly { readonly alert: string; readonly expr: string; readonly annotations: Readonly<Record<string, string>> }[];
  }[];
}

describe('the alert rules', () => {
  const root = join(import.meta.dirname, '../../..');
  const { groups } = parse(readFileSync(join(root, 'deploy/monitoring/guestflow.rules.yml'), 'utf8')) as Rules;

  it.each(groups.flatMap(({ rules }) => rules.map((rule) => [rule.alert, rule] as const)))(
    '%s reads metrics that there are, and says what to do',
    (_, { expr, annotations }) => {
      const { registry } = fleet(() => Promise.resolve(FLEET));
      const known = [registry, createGatewayMetrics().registry, createMetrics().registry].flatMap((each) =>
        each.getMetricsAsArray().map(({ name }) => name),
      );
      const named = expr.match(/guestflow_\w+/g) ?? [];
      expect(named.length).toBeGreaterThan(0);
      for (const name of named) expect(known).toContain(name);
      expect(annotations).toMatchObject({ summary: expect.any(String) as string, do: expect.any(String) as string });
      expect(() => readFileSync(join(root, annotations['runbook'] ?? ''))).not.toThrow();
    },
  );
});
