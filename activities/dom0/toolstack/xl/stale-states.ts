/**
 * Saved states that are older than their guests' disks, because something else than guestflow started the guest: /etc/xen/auto, a person, Xen itself. (If
 * guestflow starts, stops or pauses a guest, it puts its saved states aside.) A later boot would restore them.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Host } from '../../../../system/host.ts';
import { savedStates } from './xendomains.ts';
import { domainStart } from './xenstore.ts';
import { hasOwnLink } from './cfg-files.ts';
import { listDomains } from './xl.ts';
import { domainNameOf, type DomainRef } from '../../marks.ts';
import { putSavedAside, savedStateOwner } from './saved-states.ts';

/** A saved state that must not be restored any more. */
export interface StaleState {
  readonly ref: DomainRef;
  readonly path: string;
  /** Id of the guest's domain; undefined if the guest is off, and is to stay off. */
  readonly domainId: number | undefined;
  readonly savedAt: Date;
}

/**
 * The saved states of guests of ours whose domain was started after they were saved; and of those that are off and do not start with their dom0.
 *
 * A domain that is paused counts as one that a restore is making just now. One that was started before is perhaps being saved. A restore that has
 * just ended looks like a stale state for a moment, until xendomains has removed the file: see `lastingStaleStates`.
 */
export async function staleStates(host: Host): Promise<StaleState[]> {
  const states = await savedStates(host);
  if (states.length === 0) return [];
  const domains = new Map((await listDomains(host)).map((domain) => [domain.name, domain]));
  const stale: StaleState[] = [];
  for (const state of states) {
    const owner = await savedStateOwner(host, state);
    if (owner === undefined) continue;
    const ref = { name: owner.guest, order: owner.order, domain: state.domain };
    const domain = domains.get(state.domain);
    const isStale =
      domain === undefined
        ? !(await hasOwnLink(host, state.domain))
        : domain.state !== 'paused' && ((await domainStart(host, domain.id))?.getTime() ?? 0) > state.savedAt.getTime();
    if (isStale) stale.push({ ref, path: state.path, domainId: domain?.id, savedAt: state.savedAt });
  }
  return stale;
}

/** Those that are stale at two looks, with `settleMs` milliseconds in between: the same file, and the same domain. */
async function lastingStaleStates(host: Host, settleMs: number, signal: AbortSignal): Promise<StaleState[]> {
  const first = await staleStates(host);
  if (first.length === 0) return [];
  await sleep(settleMs, undefined, { signal });
  const key = ({ path, domainId, savedAt }: StaleState): string => JSON.stringify([path, domainId, savedAt]);
  const seen = new Set(first.map(key));
  return (await staleStates(host)).filter((state) => seen.has(key(state)));
}

/** How stale states are put aside. */
export interface PutStaleAside {
  readonly settleMs: number;
  readonly signal: AbortSignal;
  /** Does the work while no step works on that guest. */
  readonly alone: (guest: string, work: () => Promise<void>) => Promise<void>;
}

/**
 * Puts the stale states aside, one guest after the other.
 *
 * @returns where they were
 */
export async function putStaleAside(host: Host, { settleMs, signal, alone }: PutStaleAside): Promise<string[]> {
  const moved: string[] = [];
  const guests = new Map((await lastingStaleStates(host, settleMs, signal)).map(({ ref }) => [domainNameOf(ref), ref]));
  for (const [domain, ref] of guests)
    await alone(ref.name, async () => {
      // A step may have worked on it meanwhile.
      if (!(await staleStates(host)).some((state) => domainNameOf(state.ref) === domain)) return;
      moved.push(...(await putSavedAside(host, ref)));
    });
  return moved;
}
