/** Corrects a ledger by an audit: what is on the dom0 and what the guests' workflows say is the truth. Pure. */
import type { Claim } from '../../activities/control/claims.ts';
import type { LedgerAudit, Owner } from '../../contract/capacity.ts';
import type { Dom0Facts, Dom0State } from '../../contract/dom0.ts';
import { unreserved, type Reservation } from './ledger.ts';

/** What a look at the dom0 and at the guests' workflows came to. */
export type Look =
  | { readonly problem: string }
  | { readonly facts: Dom0Facts; readonly found: readonly Owner[]; readonly claims: ReadonlyMap<string, Claim> };

/** If a reservation's guest has not begun after this time, whoever asked for it has forgotten it. */
const FORGOTTEN_AFTER_MS = 10 * 60_000;

export function keyOf({ guest, order }: Owner): string {
  return `${guest} ${order}`;
}

/** The ledger after a look. `free`: owners of freed reservations that no workflow claims on any dom0; their addresses are given back, too. */
export function afterAudit(
  state: Dom0State,
  look: Look,
  now: string,
): { readonly state: Dom0State; readonly audit: LedgerAudit; readonly free: readonly Owner[] } {
  if ('problem' in look) {
    const audit: LedgerAudit = {
      at: now,
      problem: look.problem,
      freed: [],
      adopted: [],
      byHand: state.audit?.byHand ?? [],
      orphans: state.audit?.orphans ?? [],
    };
    return { state: { ...state, audit }, audit, free: [] };
  }
  const { facts, found, claims } = look;
  const here = new Set(found.map(keyOf));
  const isHere = (owner: Owner): boolean => here.has(keyOf(owner));
  const isClaimed = (owner: Owner): boolean => {
    const claim = claims.get(keyOf(owner));
    // A reservation that was made after the look cannot be judged by it.
    return claim === undefined || (claim.claimed && (claim.dom0 ?? state.host) === state.host);
  };
  const isForgotten = (reservation: Reservation): boolean =>
    Date.parse(now) - Date.parse(reservation.since) > FORGOTTEN_AFTER_MS && !isClaimed(reservation) && !isHere(reservation);
  const free = state.promised.filter(isForgotten);
  const kept = state.promised.filter((reservation) => !free.includes(reservation));
  const keptGuests = new Set(kept.map(({ guest }) => guest));
  const adopted = found.flatMap((owner): Reservation[] => {
    const takes = claims.get(keyOf(owner))?.takes;
    return keptGuests.has(owner.guest) || takes === undefined || !isClaimed(owner) ? [] : [{ ...owner, ...takes, since: now }];
  });
  const promised = [...kept, ...adopted];
  const whyOrphan = (owner: Owner): string => {
    const claim = claims.get(keyOf(owner));
    return claim?.claimed === true ? `its guest is on dom0 ${claim.dom0 ?? 'unknown'}` : (claim?.reason ?? 'nobody knows it');
  };
  const audit: LedgerAudit = {
    at: now,
    freed: free.map(({ guest, order }) => `${guest} of order ${order}`),
    adopted: adopted.map(({ guest, order }) => `${guest} of order ${order}`),
    byHand: unreserved({ facts, promised })
      .filter(({ guest }) => guest === undefined)
      .map(({ what }) => what),
    orphans: found.filter((owner) => !isClaimed(owner)).map((owner) => ({ ...owner, reason: whyOrphan(owner) })),
  };
  // A guest that lives on another dom0 keeps its address.
  const nobodys = free.filter((reservation) => claims.get(keyOf(reservation))?.claimed === false);
  // A look says what a machine has. Only a registration says which machine is the dom0; the fence goes by that.
  const { machine } = state.facts ?? {};
  const seen = machine === undefined ? facts : { ...facts, machine };
  return { state: { ...state, facts: seen, promised, audit }, audit, free: nobodys.map(({ guest, order }) => ({ guest, order })) };
}
