/** When a dom0 has its golden images renewed: once a day, at its own hour, and only what is due. */
import { afterEach, describe, expect, it, vi } from 'vitest';
import { ensureGolden } from '../../../activities/dom0/images/golden.ts';
import type { Caller } from '../../../client/workflow-calls.ts';
import { isQuietHour, renewWhenDue } from '../../../worker/renewals.ts';
import { fakeDom0, settings, stepEnv } from '../activities/dom0/steps/support.ts';

afterEach(() => {
  vi.useRealTimers();
});

const at = (hour: number, minute = 0): Date => new Date(Date.UTC(2026, 0, 2, hour, minute));
const quietMinutes = (host: string): number[] =>
  Array.from({ length: 24 * 60 }, (_, minute) => minute).filter((minute) => isQuietHour(host, at(0, minute)));

describe('the quiet hour', () => {
  it.each(['xen1', 'xen2', 'a.very.long.name-of-a-dom0'])('of %s is two hours in the morning, after the nights have begun', (host) => {
    const minutes = quietMinutes(host);
    expect(minutes).toHaveLength(120);
    expect([(minutes[0] ?? 0) >= 5 * 60, (minutes.at(-1) ?? 0) < 9 * 60]).toEqual([true, true]);
  });

  it('is another one for each dom0', () => {
    const hosts = Array.from({ length: 30 }, (_, index) => `xen${index}`);
    expect(new Set(hosts.map((host) => quietMinutes(host)[0])).size).toBeGreaterThan(15);
  });
});

describe('a dom0', () => {
  const HOST = settings().host;
  const quiet = (): Date => at(0, quietMinutes(HOST)[0]);

  async function begunAt(now: Date, ageDays: number, start = vi.fn(() => Promise.resolve({}))): Promise<number> {
    const dom0 = await fakeDom0();
    vi.useFakeTimers({ now: new Date(now.getTime() - ageDays * 86_400_000), toFake: ['Date'] });
    await ensureGolden(stepEnv(dom0.host()), { dist: 'bookworm' });
    vi.setSystemTime(now);
    const over = new AbortController();
    const client = { workflow: { start } } as unknown as Caller;
    const log = { info: () => undefined, warn: () => undefined };
    const renewing = renewWhenDue({ client, host: dom0.host(), settings: settings(), log, signal: over.signal, everyMs: 1 });
    await new Promise((resolve) => setTimeout(resolve, 100));
    over.abort();
    await renewing;
    dom0.close();
    return start.mock.calls.length;
  }

  it('has what is due renewed once, however often it looks', async () => {
    expect(await begunAt(quiet(), 24)).toBe(1);
  });

  it.each<[string, () => Date, number]>([
    ['nothing is due', quiet, 5],
    ['it is not its hour', () => at(15), 24],
  ])('asks for nothing when %s', async (_what, now, age) => {
    expect(await begunAt(now(), age)).toBe(0);
  });

  it('tries again when Temporal did not take it', async () => {
    const start = vi.fn(() => Promise.reject(new Error('Temporal is away')));
    expect(await begunAt(quiet(), 24, start)).toBeGreaterThan(1);
  });
});
