/** What each process says of itself: whether it lives, whether it can do its work, and metrics of which Prometheus has nothing to complain. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createRunner } from '../../system/run.ts';
import { anOrder } from '../an-order.ts';
import { promtool } from '../promtool/install.ts';
import { servedWorld, type Served, type ServedWorld } from './served-world.ts';

const PROCESSES: readonly Served[] = ['control', 'dom0', 'gateway'];
let world: ServedWorld;

beforeAll(async () => {
  world = await servedWorld();
  await world.flow.order(anOrder('web1', 'served1', { network: { ip: '192.168.77.20' } }));
  expect(await world.flow.waitFor('web1')).toMatchObject({ phase: 'running' });
  await world.flow.operate('web1', 'backup');
}, 120_000);
afterAll(async () => {
  await world.end();
});

const metricsOf = async (of: Served): Promise<string> => (await world.get(of, '/metrics')).text;

describe('a process', () => {
  it.each(PROCESSES)('(%s) lives, and is ready as long as it has Temporal', async (of) => {
    expect(await world.get(of, '/healthz')).toEqual({ status: 200, text: 'ok\n' });
    await expect.poll(() => world.get(of, '/readyz'), { timeout: 20_000 }).toEqual({ status: 200, text: 'ready\n' });
  });

  it.skipIf(promtool() === undefined).each(PROCESSES)('(%s) has metrics that promtool finds nothing wrong with', async (of) => {
    const { stdout, stderr, code } = await createRunner().run(promtool() ?? '', ['check', 'metrics'], {
      input: await metricsOf(of),
      okCodes: [0, 1, 3],
    });
    expect({ stdout, stderr, code }).toEqual({ stdout: '', stderr: '', code: 0 });
  });
});

describe('the control worker', () => {
  it('counts orders and operations by kind and result, and times their steps', async () => {
    const text = (await metricsOf('control')).replace(/^(?!guestflow_(operations?|step)_).*\n/gm, '');
    expect(text).toMatch(/^guestflow_operations_total\{[^}]*kind="provision"[^}]*result="done"[^}]*\} 1$/m);
    expect(text).toMatch(/^guestflow_operations_total\{[^}]*kind="backup"[^}]*result="done"[^}]*\} 2$/m);
    expect(text).toMatch(/^guestflow_operation_seconds_count\{[^}]*kind="provision"[^}]*\} 1$/m);
    expect(text).toMatch(/^guestflow_step_seconds_bucket\{[^}]*step="boot"[^}]*le="\+Inf"\} 1$/m);
  });

  it('knows the age of the last backups, as the guest publishes it', async () => {
    const says = async (): Promise<string> => /^guestflow_oldest_backup_timestamp_seconds.*/m.exec(await metricsOf('control'))?.[0] ?? '';
    await expect.poll(says, { timeout: 45_000, interval: 1_000 }).toMatch(/^[a-z_]+\{dom0="served1"\} 1[\d.e+]+$/);
    const text = await metricsOf('control');
    expect(text).toContain('guestflow_dom0_served{dom0="served1"} 1');
    expect(text).toMatch(/^guestflow_dom0_last_seen_timestamp_seconds\{dom0="served1"\} /m);
    expect(text).toContain('guestflow_dom0_waiting_steps{dom0="served1",queue="bulk"} 0');
  });
});

// The last one: nothing works after it.
describe('when Temporal is gone', () => {
  it.each(PROCESSES)('a process (%s) lives on, and says that it is not ready, and why', async (of) => {
    await world.stopTemporal();
    expect(await world.get(of, '/healthz')).toMatchObject({ status: 200 });
    await expect
      .poll(() => world.get(of, '/readyz'), { timeout: 30_000 })
      .toMatchObject({ status: 503, text: expect.stringMatching(/^not ready: Temporal does not answer/) as string });
  });
});
