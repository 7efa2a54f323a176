/** The Grafana dashboards: each is as it is built with Grafana's types, reads metrics that there are, and Prometheus can parse its queries. */
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Registry } from 'prom-client';
import { describe, expect, it } from 'vitest';
import { stringify } from 'yaml';
import { OPERATION_METRICS } from '../../../contract/metrics.ts';
import { createGatewayMetrics } from '../../../gateway/metrics.ts';
import { DASHBOARDS } from '../../../scripts/dashboards/index.ts';
import { createRunner } from '../../../system/run.ts';
import { addFleetMetrics } from '../../../worker/fleet-metrics.ts';
import { observeTools } from '../../../worker/tool-metrics.ts';
import { observeTraffic } from '../../../worker/traffic-metrics.ts';
import { promtool } from '../../promtool/install.ts';
import { FLEET } from '../worker/a-fleet.ts';

const FOLDER = join(import.meta.dirname, '../../../deploy/monitoring/dashboards');

interface Query {
  readonly panel: string;
  readonly expr: string;
  readonly legend: string;
}

/** Every query of a dashboard, as Prometheus is asked it when a dom0 is chosen. */
function queriesOf(name: string): Query[] {
  return (DASHBOARDS[name]?.panels ?? []).flatMap((panel) =>
    'targets' in panel
      ? (panel.targets ?? []).map((target): Query => {
          const { expr, legendFormat } = target as unknown as { expr: string; legendFormat: string };
          return { panel: panel.title ?? '', expr: expr.replaceAll('$dom0', 'xen1'), legend: legendFormat };
        })
      : [],
  );
}

describe.each(Object.keys(DASHBOARDS))('the dashboard %s', (name) => {
  it('is what its builder makes', async () => {
    await expect(`${JSON.stringify(DASHBOARDS[name], undefined, 2)}\n`).toMatchFileSnapshot(join(FOLDER, name));
  });

  it('reads metrics that there are, and each panel says what it means', () => {
    const registry = new Registry();
    addFleetMetrics(registry, () => Promise.resolve(FLEET));
    observeTools(registry);
    observeTraffic(registry);
    const known = [registry, createGatewayMetrics().registry].flatMap((each) => each.getMetricsAsArray().map((metric) => metric.name));
    const named = [...known, ...Object.values(OPERATION_METRICS).map((metric) => metric.name)];
    const all = named.flatMap((metric) => [metric, `${metric}_total`, `${metric}_bucket`, `${metric}_sum`]);
    expect(queriesOf(name).length).toBeGreaterThan(4);
    for (const { expr } of queriesOf(name)) for (const metric of expr.match(/guestflow_\w+/g) ?? ['none']) expect(all).toContain(metric);
    for (const panel of DASHBOARDS[name]?.panels ?? []) if ('targets' in panel) expect(panel.description).toMatch(/^\S.*\.$/);
  });

  it('names its lines by labels that its queries keep', () => {
    for (const { panel, expr, legend } of queriesOf(name))
      for (const [, label = ''] of legend.matchAll(/\{\{(\w+)\}\}/g))
        expect(expr, panel).toMatch(new RegExp(`by \\([^)]*\\b${label}\\b[^)]*\\)`));
  });

  it.skipIf(promtool() === undefined)('asks what Prometheus can parse', async () => {
    const rules = queriesOf(name).map(({ expr }, index) => ({ record: `query_${String(index)}`, expr }));
    const directory = mkdtempSync(join(tmpdir(), 'guestflow-dashboards-'));
    try {
      writeFileSync(join(directory, 'queries.yml'), stringify({ groups: [{ name: 'queries', rules }] }));
      const { code, stdout, stderr } = await createRunner().run(promtool() ?? '', ['check', 'rules', 'queries.yml'], {
        cwd: directory,
        okCodes: [0, 1],
      });
      expect({ code, said: `${stdout}${stderr}` }).toMatchObject({ code: 0, said: expect.stringContaining('SUCCESS') as string });
    } finally {
      rmSync(directory, { recursive: true, force: true });
    }
  });
});

it('every dashboard that is shipped is one that is built', () => {
  expect(readdirSync(FOLDER).sort()).toEqual(Object.keys(DASHBOARDS).sort());
});
