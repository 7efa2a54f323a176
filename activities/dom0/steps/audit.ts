/**
 * audit: lists everything on this dom0 that carries guestflow's mark, or lies in a place that only guestflow makes, with its owner. It changes
 * nothing.
 */
import { UNKNOWN_ORDER, type MarkedThing } from '../../../contract/dom0.ts';
import type { StepEnv } from '../env.ts';
import { everything } from '../inventory/inventory.ts';
import type { Thing } from '../inventory/thing.ts';
import type { Owner } from '../marks.ts';

/** Looks at the whole dom0. Things without our mark that are not in a place of ours are not listed. */
export async function audit(env: StepEnv): Promise<MarkedThing[]> {
  return marked(await everything(env));
}

/** The things that are ours, with their orders. */
export function marked(all: readonly Thing[]): MarkedThing[] {
  const ours = all.flatMap(({ where, owner }) => (owner === undefined ? [] : [{ where, owner }]));
  const owners = ours.map(({ owner }) => owner);
  return ours.map(({ where, owner }) => ({ what: where, ...settled(owner, owners) }));
}

/** A thing that is known only by its place: if exactly one order of that guest has marks here, it belongs to that order. */
function settled({ guest, order }: Owner, all: readonly Owner[]): Owner {
  if (order !== UNKNOWN_ORDER) return { guest, order };
  const orders = new Set(all.filter((owner) => owner.guest === guest && owner.order !== UNKNOWN_ORDER).map((owner) => owner.order));
  const [only] = orders;
  return { guest, order: orders.size === 1 && only !== undefined ? only : order };
}
