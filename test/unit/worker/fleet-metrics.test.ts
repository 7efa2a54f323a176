/** What is told of the fleet at /metrics. */
import { Registry } from 'prom-client';
import { describe, expect, it } from 'vitest';
import type { BackupHealth } from '../../../contract/backup-health.ts';
import { createGatewayMetrics } from '../../../gateway/metrics.ts';
import type { Fleet } from '../../../client/fleet.ts';
import { addFleetMetrics } from '../../../worker/fleet-metrics.ts';
import { aGuest, FLEET, GiB, NOW, SOUND } from './a-fleet.ts';

function fleet(read: () => Promise<Fleet>): { registry: Registry; clock: { ms: number } } {
  const [registry, clock] = [new Registry(), { ms: NOW }];
  addFleetMetrics(registry, read, () => clock.ms);
  return { registry, clock };
}

async function linesOf(changes: Partial<Fleet>): Promise<string[]> {
  return (await fleet(() => Promise.resolve({ ...FLEET, ...changes })).registry.metrics()).split('\n');
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

  it('say of a dom0 that is lost only that: nobody waits for its worker, and nothing of it can be sold', async () => {
    const [xen1] = FLEET.dom0s;
    if (xen1 === undefined) throw new Error('no dom0');
    const lines = await linesOf({
      dom0s: [{ ...xen1, isServed: false, capacity: { ...xen1.capacity, lost: '2026-01-20T00:00:00.000Z' } }],
    });
    expect(lines).toContain('guestflow_dom0_lost{dom0="xen1"} 1');
    expect(lines.join('\n')).not.toMatch(/^guestflow_(dom0_(served|last_seen|free|sellable|promised)\w*|pool_\w+)\{dom0="xen1"/m);
  });

  it('count what runs, what waits, and the orders of billing by phase', async () => {
    expect(await linesOf({})).toEqual(
      expect.arrayContaining([
        'guestflow_running_operations{dom0="xen1",kind="backup"} 1',
        'guestflow_dom0_waiting_steps{dom0="xen1",queue="bulk"} 3',
        'guestflow_billing_orders{phase="problem"} 2',
        'guestflow_dom0_last_seen_timestamp_seconds{dom0="xen1"} 1768910370',
      ]),
    );
  });

  it.each<[string, Partial<BackupHealth>, readonly [string, number][]]>([
    [
      'is well',
      {},
      [
        ['night_missed_guests', 0],
        ['backup_overdue_guests', 0],
        ['proof_overdue_guests', 0],
      ],
    ],
    ['failed last night', { night: { due: '2026-01-20T02:00:00.000Z', state: 'failed' } }, [['night_failed_guests', 1]]],
    [
      'was last told of a night three nights ago',
      { night: { due: '2026-01-17T02:00:00.000Z', state: 'done' } },
      [
        ['night_missed_guests', 1],
        ['nights_missed', 3],
      ],
    ],
    [
      'was never told of a night',
      { night: undefined } as object,
      [
        ['night_missed_guests', 1],
        ['nights_missed', 19],
      ],
    ],
    [
      'has no Schedule',
      { isNightly: false, night: undefined, lastAt: undefined } as object,
      [
        ['night_missed_guests', 0],
        ['backup_overdue_guests', 0],
      ],
    ],
    [
      'was backed up three days ago',
      { lastAt: '2026-01-17T02:00:00.000Z' },
      [
        ['backup_overdue_guests', 1],
        ['oldest_backup_timestamp_seconds', 1768615200],
      ],
    ],
    ['was proven eleven days ago, and is to be each week', { provenAt: '2026-01-09T02:00:00.000Z' }, [['proof_overdue_guests', 1]]],
    [
      'was never proven',
      { provenAt: undefined } as object,
      [
        ['proof_overdue_guests', 1],
        ['oldest_proven_backup_timestamp_seconds', 1767225600],
      ],
    ],
    ['is not to be proven', { provenAt: undefined, proveDays: 0 } as object, [['proof_overdue_guests', 0]]],
    ['has two backups that are unusable', { unusable: 2 }, [['unusable_backups', 2]]],
  ])('tell of a guest that %s', async (_, changes, expected) => {
    const lines = await linesOf({ guests: [aGuest('guest1'), aGuest('guest2', { backups: { ...SOUND, ...changes } })] });
    for (const [name, value] of expected) expect(lines).toContain(`guestflow_${name}{dom0="xen1"} ${String(value)}`);
  });

  it('tell nothing of the backups of guests that are on their way out, and count those that have not said how theirs are', async () => {
    const { backups: _silent, ...silent } = aGuest('guest1');
    const gone = aGuest('guest2', { phase: 'terminating', backups: { ...SOUND, unusable: 1 } });
    const lines = await linesOf({ guests: [silent, gone] });
    expect(lines).toContain('guestflow_backups_unknown_guests{dom0="xen1"} 1');
    expect(lines.join('\n')).not.toContain('guestflow_unusable_backups{');
  });

  it('are asked of Temporal once in half a minute, and once for those who ask at the same time', async () => {
    let asked = 0;
    const { registry, clock } = fleet(() => {
      asked += 1;
      return Promise.resolve(FLEET);
    });
    await Promise.all([registry.metrics(), registry.metrics()]);
    clock.ms = NOW + 29_000;
    await registry.metrics();
    expect(asked).toBe(1);
    clock.ms = NOW + 31_000;
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
