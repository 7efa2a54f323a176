/** What is wrong in a fleet that operators are told of: pure. */
import { isBackedUp, troubleOf } from '../../../client/guests/backup-health.ts';
import type { Fleet } from '../../../client/fleet.ts';
import type { GuestRow } from '../../../client/guests/list.ts';
import { MOST_NAMED, THIN_POOL_LEVELS, type ProblemGroup, type ProblemKind } from '../../../contract/watch.ts';

/** An order of billing that a person must look at. */
export interface TroubledOrder {
  readonly order: string;
  /** It was refused for want of room. */
  readonly hasNoRoom: boolean;
}

/** An order that failed is told of for a day: its workflow is over, and nobody can mend it. */
const FAILED_FOR_MS = 24 * 3_600_000;
/** What is left to sell of a pool that is nearly full. */
const NEARLY_FULL = 0.05;

export function problemsOf(fleet: Fleet, orders: readonly TroubledOrder[], nowMs: number): ProblemGroup[] {
  return [...ofDom0s(fleet), ...ofGuests(fleet, nowMs), ...ofOrders(orders)];
}

function ofDom0s({ dom0s, guests }: Fleet): ProblemGroup[] {
  return dom0s.flatMap(({ capacity: { host, lost, pools = [], notRenewed = [] }, isServed }): ProblemGroup[] => {
    const count = guests.filter(({ dom0 }) => dom0 === host).length;
    const itself = { dom0: host, subjects: [host], note: `guests on it: ${String(count)}` };
    if (lost !== undefined) return [{ kind: 'dom0-lost', ...itself }];
    const full = pools.filter(({ freeBytes, sellableBytes }) => sellableBytes > 0 && freeBytes < NEARLY_FULL * sellableBytes);
    return [
      ...(isServed ? [] : [{ kind: 'dom0-silent', ...itself } as const]),
      ...grouped(
        'pool-nearly-full',
        host,
        full.map(({ name }) => name),
      ),
      ...grouped(
        'golden-not-renewed',
        host,
        notRenewed.map(({ dist }) => dist),
      ),
      ...THIN_POOL_LEVELS.flatMap((percent) =>
        grouped(
          `thin-pool-${percent}`,
          host,
          pools.filter(({ filledShare = 0 }) => filledShare * 100 >= percent).map(({ name }) => name),
        ),
      ),
    ];
  });
}

function ofGuests({ guests }: Fleet, nowMs: number): ProblemGroup[] {
  const trouble = ({ phase, backups }: GuestRow): ReturnType<typeof troubleOf> | undefined =>
    backups !== undefined && isBackedUp(phase) ? troubleOf(backups, nowMs) : undefined;
  const kinds: readonly (readonly [ProblemKind, (guest: GuestRow) => boolean])[] = [
    ['needs-cleanup', ({ phase }) => phase === 'needs-cleanup'],
    ['guest-failed', ({ phase, endedAt }) => phase === 'failed' && endedAt !== undefined && nowMs - Date.parse(endedAt) < FAILED_FOR_MS],
    ['backup-unusable', (guest) => (trouble(guest)?.unusable ?? 0) > 0],
    ['night-failed', (guest) => trouble(guest)?.hasFailed === true],
    ['night-missed', (guest) => (trouble(guest)?.missed ?? 0) > 0],
  ];
  return kinds.flatMap(([kind, isOne]) => {
    const found = guests.filter(isOne);
    return [...new Set(found.map(({ dom0 }) => dom0))].sort().flatMap((host) =>
      grouped(
        kind,
        host,
        found.filter(({ dom0 }) => dom0 === host).map(({ name }) => name),
      ),
    );
  });
}

function ofOrders(orders: readonly TroubledOrder[]): ProblemGroup[] {
  const named = (hasNoRoom: boolean): string[] => orders.filter((one) => one.hasNoRoom === hasNoRoom).map(({ order }) => order);
  return [...grouped('no-capacity', undefined, named(true)), ...grouped('order-problem', undefined, named(false))];
}

function grouped(kind: ProblemKind, dom0: string | undefined, all: readonly string[]): ProblemGroup[] {
  if (all.length === 0) return [];
  const more = all.length - MOST_NAMED;
  return [
    {
      kind,
      ...(dom0 === undefined ? {} : { dom0 }),
      subjects: [...all].sort().slice(0, MOST_NAMED),
      ...(more > 0 ? { more } : {}),
    },
  ];
}
