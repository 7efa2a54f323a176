/** A fleet as Temporal has it, for what is told of it. */
import type { Amounts } from '../../../contract/capacity.ts';
import type { BackupHealth } from '../../../contract/backup-health.ts';
import type { Fleet } from '../../../client/fleet.ts';
import type { GuestRow } from '../../../client/guests/list.ts';

export const GiB = 2 ** 30;
/** The time at which it is looked at. */
export const NOW = Date.parse('2026-01-20T12:00:00.000Z');

export const amounts = (memory: number): Amounts => ({ memoryBytes: memory * GiB, vcpus: 4, diskBytes: 100 * GiB });

/** One with a backup of last night, proven some days ago. */
export const SOUND: BackupHealth = {
  since: '2026-01-01T00:00:00.000Z',
  lastAt: '2026-01-20T02:00:00.000Z',
  provenAt: '2026-01-18T02:00:00.000Z',
  proveDays: 7,
  unusable: 0,
  isNightly: true,
  night: { due: '2026-01-20T02:00:00.000Z', state: 'done' },
};

export function aGuest(name: string, changes: Partial<GuestRow> = {}): GuestRow {
  return {
    name,
    dom0: 'xen1',
    phase: 'running',
    plan: 'small',
    order: `order-${name}`,
    workflowId: `guest/${name}`,
    orderedAt: '2026-01-01T00:00:00.000Z',
    backups: SOUND,
    ...changes,
  };
}

/** Two dom0s: one that works, and one that has registered no more than its name. */
export const FLEET: Fleet = {
  guests: [aGuest('guest1'), aGuest('guest2'), aGuest('guest3', { dom0: 'xen2', phase: 'needs-cleanup' })],
  dom0s: [
    {
      isServed: true,
      seenAt: '2026-01-20T11:59:30.000Z',
      waiting: { short: 0, bulk: 3 },
      capacity: {
        host: 'xen1',
        drained: false,
        sellable: amounts(8),
        promised: amounts(6),
        byHand: amounts(0),
        guests: 2,
        free: amounts(2),
        pools: [
          { name: 'vg01', sellableBytes: 100 * GiB, freeBytes: 40 * GiB },
          { name: 'vg01/guests', sellableBytes: 100 * GiB, freeBytes: 40 * GiB, filledShare: 0.4 },
        ],
      },
    },
    {
      isServed: false,
      waiting: { short: 0, bulk: 0 },
      capacity: { host: 'xen2', drained: true, promised: amounts(1), byHand: amounts(0), guests: 1 },
    },
  ],
  running: [
    {
      guest: 'guest1',
      kind: 'backup',
      dom0: 'xen1',
      startedAt: '2026-01-20T11:55:00.000Z',
      workflowId: 'guest/guest1/backup/nightly-20260120T020000Z',
    },
  ],
  orders: { waiting: 1, working: 0, settled: 5, problem: 2, over: 0 },
};
