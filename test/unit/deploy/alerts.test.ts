/** The alert rules: each reads metrics that there are, has a test, and says what to do, at a place of the docs that there is. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Registry } from 'prom-client';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { createGatewayMetrics } from '../../../gateway/metrics.ts';
import { createRunner } from '../../../system/run.ts';
import { addFleetMetrics } from '../../../worker/fleet-metrics.ts';
import { promtool } from '../../promtool/install.ts';
import { FLEET } from '../worker/a-fleet.ts';

interface Rule {
  readonly alert: string;
  readonly expr: string;
  readonly annotations: Readonly<Record<string, string>>;
}

interface RuleTest {
  readonly alert_rule_test: readonly { readonly alertname: string; readonly exp_alerts: readonly unknown[] }[];
}

const ROOT = join(import.meta.dirname, '../../..');
const FOLDER = join(ROOT, 'deploy/monitoring');
const read = (name: string): unknown => parse(readFileSync(join(FOLDER, name), 'utf8'));
const RULES = (read('guestflow.rules.yml') as { groups: readonly { rules: readonly Rule[] }[] }).groups.flatMap(({ rules }) => rules);
const TESTED = (read('guestflow.tests.yml') as { tests: readonly RuleTest[] }).tests.flatMap((test) => test.alert_rule_test);

/** The anchor that a heading gets where Markdown is shown. */
function anchorsOf(path: string): string[] {
  const headings = readFileSync(path, 'utf8').match(/^#+ .*$/gm) ?? [];
  return headings.map((heading) =>
    heading
      .replace(/^#+ /, '')
      .toLowerCase()
      .replace(/[^\p{L}\p{N} _-]/gu, '')
      .replaceAll(' ', '-'),
  );
}

describe('the alert rules', () => {
  const registry = new Registry();
  addFleetMetrics(registry, () => Promise.resolve(FLEET));
  const known = [registry, createGatewayMetrics().registry].flatMap((each) => each.getMetricsAsArray().map(({ name }) => name));

  it.each(RULES.map((rule) => [rule.alert, rule] as const))('%s reads metrics that there are, and says what to do', (_, rule) => {
    const named = rule.expr.match(/guestflow_\w+/g) ?? [];
    expect(named.length).toBeGreaterThan(0);
    for (const name of named) expect(known).toContain(name);
    expect(rule.annotations).toMatchObject({ summary: expect.any(String) as string, do: expect.any(String) as string });
    const [page = '', anchor = ''] = (rule.annotations['runbook'] ?? '').split('#');
    expect(existsSync(join(ROOT, page))).toBe(true);
    expect(anchorsOf(join(ROOT, page))).toContain(anchor);
  });

  it.each(RULES.map(({ alert }) => [alert]))('%s has a test in which it fires, and one in which it is over', (alert) => {
    const tests = TESTED.filter(({ alertname }) => alertname === alert);
    expect(tests.some(({ exp_alerts: fires }) => fires.length > 0)).toBe(true);
    expect(tests.some(({ exp_alerts: fires }) => fires.length === 0)).toBe(true);
  });

  it.skipIf(promtool() === undefined).each([
    ['check', 'guestflow.rules.yml'],
    ['test', 'guestflow.tests.yml'],
  ])('pass promtool %s rules', async (verb, file) => {
    const { code, stdout, stderr } = await createRunner().run(promtool() ?? '', [verb, 'rules', file], { cwd: FOLDER, okCodes: [0, 1] });
    expect({ code, said: `${stdout}${stderr}` }).toMatchObject({ code: 0, said: expect.stringContaining('SUCCESS') as string });
  });
});
