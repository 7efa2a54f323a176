/**
 * What a control worker tells of the fleet, one entry a metric. Guests are counted, never named: in a fleet of ten thousand, a label with their names would be
 * more than Prometheus should hold. Times are told as timestamps, of which Prometheus makes ages.
 */
import type { Amounts, Capacity } from '../contract/capacity.ts';
import type { BackupHealth } from '../contract/backup-health.ts';
import type { Dom0Look } from '../client/dom0s/fleet.ts';
import type { Fleet } from '../client/fleet.ts';
import { isBackedUp, troubleOf, type BackupTrouble } from '../client/guests/backup-health.ts';

type Sample = readonly [labels: Readonly<Record<string, string>>, value: number];

interface FleetGauge {
  /** Without `guestflow_`. */
  readonly name: string;
  readonly help: string;
  readonly labels: readonly string[];
  /** Samples with the same labels are added up. */
  readonly of: (fleet: Fleet, nowMs: number) => readonly Sample[];
}

/** One sample a dom0; none where it is undefined. */
function ofDom0s(name: string, help: string, value: (dom0: Dom0Look) => number | undefined): FleetGauge {
  return {
    name: `dom0_${name}`,
    help,
    labels: ['dom0'],
    of: ({ dom0s }) =>
      dom0s.flatMap((dom0): Sample[] => {
        const found = value(dom0);
        return found === undefined ? [] : [[{ dom0: dom0.capacity.host }, found]];
      }),
  };
}

/** What nobody waits for any more, nobody is told of. */
function unlessLost<T>(value: (dom0: Dom0Look) => T | undefined): (dom0: Dom0Look) => T | undefined {
  return (dom0) => (dom0.capacity.lost === undefined ? value(dom0) : undefined);
}

/** Memory, vcpus and disk. */
function amountsOf(what: string, help: string, of: (capacity: Capacity) => Amounts | undefined): FleetGauge[] {
  const keys = { memory_bytes: 'memoryBytes', vcpus: 'vcpus', disk_bytes: 'diskBytes' } as const;
  return Object.entries(keys).map(([unit, key]) =>
    ofDom0s(
      `${what}_${unit}`,
      help,
      unlessLost(({ capacity }) => of(capacity)?.[key]),
    ),
  );
}

/** Guests that are backed up, and say how. A dom0 without one of which it is true has a 0. */
function guestsWith(name: string, help: string, value: (trouble: BackupTrouble) => number): FleetGauge {
  return {
    name,
    help,
    labels: ['dom0'],
    of: ({ guests }, nowMs) =>
      guests
        .filter(({ phase, backups }) => isBackedUp(phase) && backups !== undefined)
        .map(({ dom0, backups }): Sample => [{ dom0 }, backups === undefined ? 0 : value(troubleOf(backups, nowMs))]),
  };
}

/** Of the guest of a dom0 for which it is the longest ago. */
function oldest(name: string, help: string, time: (health: BackupHealth) => string | undefined): FleetGauge {
  return {
    name,
    help,
    labels: ['dom0'],
    of: ({ guests }) => {
      const found = new Map<string, number>();
      for (const { dom0, phase, backups } of guests) {
        const at = backups === undefined || !isBackedUp(phase) ? undefined : time(backups);
        if (at !== undefined) found.set(dom0, Math.min(found.get(dom0) ?? Number.POSITIVE_INFINITY, Date.parse(at) / 1_000));
      }
      return [...found].map(([dom0, seconds]) => [{ dom0 }, seconds]);
    },
  };
}

const BACKUPS: readonly FleetGauge[] = [
  oldest(
    'oldest_backup_timestamp_seconds',
    'Of the guest whose last good backup is the oldest: when it was taken',
    ({ lastAt, since }) => lastAt ?? since,
  ),
  oldest(
    'oldest_proven_backup_timestamp_seconds',
    'Of the guest whose last proven backup is the oldest: when it was taken',
    ({ provenAt, since, proveDays }) => (proveDays === 0 ? undefined : (provenAt ?? since)),
  ),
  guestsWith('backup_overdue_guests', 'Guests whose last good backup is older than two days', ({ isOverdue }) => Number(isOverdue)),
  guestsWith('proof_overdue_guests', 'Guests whose last proven backup is older than the days between two proofs and three', (trouble) =>
    Number(trouble.isProofOverdue),
  ),
  guestsWith('night_missed_guests', 'Guests that were not told of their last night', ({ missed }) => Number(missed > 0)),
  guestsWith('nights_missed', 'Nights since the last one of which the guest was told', ({ missed }) => missed),
  guestsWith('night_failed_guests', 'Guests whose last night failed', ({ hasFailed }) => Number(hasFailed)),
  guestsWith('unusable_backups', 'Backups that turned out to be unusable, and that no proven one has followed', ({ unusable }) => unusable),
  {
    name: 'backups_unknown_guests',
    help: 'Guests that have not said yet how their backups are: those of an earlier version, until their next night',
    labels: ['dom0'],
    of: ({ guests }) =>
      guests.filter(({ phase }) => isBackedUp(phase)).map(({ dom0, backups }) => [{ dom0 }, Number(backups === undefined)]),
  },
];

export const FLEET_GAUGES: readonly FleetGauge[] = [
  {
    name: 'guests',
    help: 'Guests, by dom0 and phase',
    labels: ['dom0', 'phase'],
    of: ({ guests }) => guests.map(({ dom0, phase }) => [{ dom0, phase }, 1]),
  },
  ...amountsOf('sellable', 'What the dom0 has to sell', ({ sellable }) => sellable),
  ...amountsOf('promised', 'What its ledger has promised to guests', ({ promised }) => promised),
  ...amountsOf('free', 'What can still be sold; below 0 if more is promised than there is', ({ free }) => free),
  {
    name: 'pool_sellable_bytes',
    help: 'What of a pool of storage may be sold',
    labels: ['dom0', 'pool'],
    of: (fleet) => poolSamples(fleet, 'sellableBytes'),
  },
  {
    name: 'pool_free_bytes',
    help: 'What of a pool of storage can still be sold; below 0 if more is promised than there is',
    labels: ['dom0', 'pool'],
    of: (fleet) => poolSamples(fleet, 'freeBytes'),
  },
  {
    name: 'thin_pool_filled_ratio',
    help: 'How full a thin pool is, or its table of blocks, whichever is more; at 1 the file systems of its guests fail',
    labels: ['dom0', 'pool'],
    of: (fleet) => poolSamples(fleet, 'filledShare'),
  },
  ofDom0s(
    'served',
    '1 if a worker has asked for work of this dom0 within a minute and a half; nothing of a dom0 that is lost',
    unlessLost(({ isServed }) => Number(isServed)),
  ),
  ofDom0s(
    'last_seen_timestamp_seconds',
    'When its worker was last heard of; nothing of a dom0 that is lost',
    unlessLost(({ seenAt }) => (seenAt === undefined ? undefined : Date.parse(seenAt) / 1_000)),
  ),
  ofDom0s('drained', '1 if it takes no new guests', ({ capacity: { drained } }) => Number(drained)),
  ofDom0s('lost', '1 if an operator has said that it is lost', ({ capacity: { lost } }) => Number(lost !== undefined)),
  {
    name: 'golden_timestamp_seconds',
    help: 'When the golden tarball in use was made, by distribution; as of the last audit of its dom0',
    labels: ['dom0', 'dist'],
    of: ({ dom0s }) =>
      dom0s
        .filter(({ capacity: { lost } }) => lost === undefined)
        .flatMap(({ capacity: { host, golden = [] } }) =>
          golden.map(({ dist, createdAt }): Sample => [{ dom0: host, dist }, Date.parse(createdAt) / 1_000]),
        ),
  },
  {
    name: 'dom0_waiting_steps',
    help: "Steps that wait for the dom0's worker, by queue, as Temporal estimates them",
    labels: ['dom0', 'queue'],
    of: ({ dom0s }) =>
      dom0s.flatMap(({ capacity: { host }, waiting }) =>
        Object.entries(waiting).map(([queue, steps]): Sample => [{ dom0: host, queue }, steps]),
      ),
  },
  {
    name: 'running_operations',
    help: 'Operations that run, orders among them (kind provision), by dom0 and kind',
    labels: ['dom0', 'kind'],
    of: ({ running }) => running.map(({ dom0, kind }) => [{ dom0, kind }, 1]),
  },
  {
    name: 'billing_orders',
    help: 'Orders of billing, by phase; a person must look at those in problem',
    labels: ['phase'],
    of: ({ orders }) => Object.entries(orders).map(([phase, count]) => [{ phase }, count]),
  },
  ...BACKUPS,
];

function poolSamples({ dom0s }: Fleet, key: 'sellableBytes' | 'freeBytes' | 'filledShare'): Sample[] {
  return dom0s
    .filter(({ capacity }) => capacity.lost === undefined)
    .flatMap(({ capacity: { host, pools = [] } }) =>
      pools.flatMap((pool): Sample[] => (pool[key] === undefined ? [] : [[{ dom0: host, pool: pool.name }, pool[key]]])),
    );
}
