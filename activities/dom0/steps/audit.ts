/**
 * audit: everything on this dom0 that carries guestflow's mark, or lies in a place that only guestflow makes, and whose it is. Changes
 * nothing.
 */
import { UNKNOWN_ORDER, type MarkedThing } from '../../../contract/types.ts';
import type { StepEnv } from '../env.ts';
import { everything } from '../inventory/inventory.ts';
import type { Thing } from '../inventory/thing.ts';
import type { Owner } from '../marks.ts';

/** Looks at the whole dom0. What is neither marked nor in a place of ours is not ours, and is not listed. */
export async function audit(env: StepEnv): Promise<MarkedThing[]> {
  return marked(await everything(env));
}

/** Those that are ours, with the order that they belong to. */
export function marked(all: readonly Thing[]): MarkedThing[] {
  const ours = all.flatMap(({ where, owner }) => (owner === undefined ? [] : [{ where, owner }]));
  const owners = ours.map(({ owner }) => owner);
  return ours.map(({ where, owner }) => ({ what: where, ...settled(owner, owners) }));
}

/** What only its place tells belongs to the order of that guest that has marks here, when that is one. */
function settled({ guest, order }: Owner, all: readonly Owner[]): Owner {
  if (order !== UNKNOWN_ORDER) return { guest, order };
  const orders = new Set(all.filter((owner) => owner.guest === guest && owner.order !== UNKNOWN_ORDER).map((owner) => owner.order));
  const [only] = orders;
  return { guest, order: orders.size === 1 && only !== undefined ? only : order };
}
