/** Which dom0s could take a guest, best first: pure, and the same for the same ledgers. */
import type { Amounts, Capacity } from '../../contract/capacity.ts';
import { shortageOf } from '../../contract/shortage.ts';

/** `best-fit` fills one dom0 before the next, so that a large guest still finds room; `spread` takes the emptiest. */
export const STRATEGIES = ['best-fit', 'spread'] as const;
export type Strategy = (typeof STRATEGIES)[number];

export interface Ranking {
  /** Names of dom0s, best first. */
  readonly hosts: readonly string[];
  /** Why each of the others cannot. */
  readonly refused: readonly { readonly field: string; readonly message: string }[];
}

/** Sorts the dom0s that fit. If two are equal, by name. */
export function rank(
  capacities: readonly Capacity[],
  asked: Amounts & { readonly guest: string; readonly plan: string },
  strategy: Strategy,
): Ranking {
  const judged = capacities.map((capacity) => ({ capacity, refusal: whyNot(capacity, asked) }));
  const direction = strategy === 'best-fit' ? 1 : -1;
  const fitting = judged
    .filter(({ refusal }) => refusal === undefined)
    .map(({ capacity }) => ({ host: capacity.host, left: leftOver(capacity, asked) }));
  fitting.sort((a, b) => direction * (a.left - b.left) || (a.host < b.host ? -1 : 1));
  return { hosts: fitting.map(({ host }) => host), refused: judged.flatMap(({ refusal }) => (refusal === undefined ? [] : [refusal])) };
}

function whyNot(
  capacity: Capacity,
  asked: Amounts & { readonly guest: string; readonly plan: string },
): { field: string; message: string } | undefined {
  const { host, drained, lost, plans, sellable } = capacity;
  if (lost !== undefined) return { field: 'dom0', message: `dom0 ${host} is lost` };
  if (drained) return { field: 'dom0', message: `dom0 ${host} is drained: it takes no new guests` };
  if (sellable === undefined) return { field: 'dom0', message: `dom0 ${host} has not said yet what it has` };
  if (plans?.includes(asked.plan) === false) return { field: 'plan', message: `dom0 ${host} takes only plans ${plans.join(', ')}` };
  return shortageOf(capacity, asked);
}

/** How empty the dom0 would still be: the sum of the free shares of memory, vcpus and disk. */
function leftOver({ free, sellable }: Capacity, asked: Amounts): number {
  const part = (of: (amounts: Amounts) => number): number =>
    free === undefined || sellable === undefined ? 0 : (of(free) - of(asked)) / Math.max(1, of(sellable));
  return part(({ memoryBytes }) => memoryBytes) + part(({ vcpus }) => vcpus) + part(({ diskBytes }) => diskBytes);
}
