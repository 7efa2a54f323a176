/** The audit of a dom0's ledger: the dom0 is the truth, and so are the guests' workflows. What it makes of a look is pure. */
import { proxyActivities } from '@temporalio/workflow';
import type { Claim, ControlActivities } from '../activities/control.ts';
import type { ShortActivities } from '../activities/dom0.ts';
import type { LedgerAudit } from '../contract/capacity-types.ts';
import { CONTROL_QUEUE, dom0Queue } from '../contract/names.ts';
import type { Dom0Facts, Dom0State } from '../contract/types.ts';
import { unpromised, type Promised } from './ledger.ts';
import { rootFailure } from './operation.ts';

interface Owner {
  readonly guest: string;
  readonly order: string;
}

/** What a look at the dom0 and at the guests' workflows came to. */
export type Look =
  | { readonly problem: string }
  | { readonly facts: Dom0Facts; readonly found: readonly Owner[]; readonly claims: ReadonlyMap<string, Claim> };

/** A promise whose guest has not begun after this has been forgotten by whoever asked for it. */
const FORGOTTEN_AFTER_MS = 10 * 60_000;
/** An audit waits for nobody: the next one comes by itself. */
const LOOK = { scheduleToCloseTimeout: '3 minutes', heartbeatTimeout: '40 seconds', retry: { maximumAttempts: 2 } } as const;
const ASK = { taskQueue: CONTROL_QUEUE, scheduleToCloseTimeout: '5 minutes', startToCloseTimeout: '1 minute', retry: { maximumAttempts: 3 } } as const;

const control = proxyActivities<Pick<ControlActivities, 'claims' | 'observe' | 'release'>>(ASK);

function keyOf({ guest, order }: Owner): string {
  return `${guest} ${order}`;
}

/** Looks; what cannot be seen is a problem of the audit, and changes nothing. */
export async function lookAt({ host, promised }: Dom0State): Promise<Look> {
  const steps = proxyActivities<Pick<ShortActivities, 'dom0Facts' | 'audit'>>({ ...LOOK, taskQueue: dom0Queue(host) });
  try {
    const facts = await steps.dom0Facts(undefined);
    const things = await steps.audit(undefined);
    await control.observe(facts);
    const found = [...new Map(things.map(({ guest, order }) => [`${guest} ${order}`, { guest, order }])).values()];
    const asked = [...new Map([...found, ...promised.map(({ guest, order }) => ({ guest, order }))].map((owner) => [keyOf(owner), owner])).values()];
    const claims = await control.claims(asked);
    return { facts, found, claims: new Map(asked.map((owner, index) => [keyOf(owner), claims[index] ?? { claimed: true, reason: 'unknown' }])) };
  } catch (error) {
    return { problem: `it could not look: ${rootFailure(error).message}` };
  }
}

/** Gives the addresses back of promises that were freed. */
export async function releaseLeases(host: string, freed: readonly Owner[]): Promise<void> {
  for (const { guest, order } of freed) await control.release({ name: guest, order, dom0: host }).catch(() => undefined);
}

/** The ledger after a look; `free` are the owners of the promises that were freed. */
export function afterAudit(state: Dom0State, look: Look, now: string): { readonly state: Dom0State; readonly audit: LedgerAudit; readonly free: readonly Owner[] } {
  if ('problem' in look) {
    const audit: LedgerAudit = { at: now, problem: look.problem, freed: [], adopted: [], byHand: state.audit?.byHand ?? [], orphans: state.audit?.orphans ?? [] };
    return { state: { ...state, audit }, audit, free: [] };
  }
  const { facts, found, claims } = look;
  const isHere = (owner: Owner): boolean => found.some((other) => keyOf(other) === keyOf(owner));
  const isClaimed = (owner: Owner): boolean => {
    const claim = claims.get(keyOf(owner));
    // One that came after the look is nobody's to judge.
    return claim === undefined || (claim.claimed && (claim.dom0 ?? state.host) === state.host);
  };
  const isForgotten = (promise: Promised): boolean => Date.parse(now) - Date.parse(promise.since) > FORGOTTEN_AFTER_MS && !isClaimed(promise) && !isHere(promise);
  const free = state.promised.filter(isForgotten);
  const kept = state.promised.filter((promise) => !free.includes(promise));
  const adopted = found.flatMap((owner): Promised[] => {
    const claim = claims.get(keyOf(owner));
    const isKnown = kept.some(({ guest }) => guest === owner.guest);
    return isKnown || claim?.takes === undefined || !isClaimed(owner) ? [] : [{ ...owner, ...claim.takes, since: now }];
  });
  const promised = [...kept, ...adopted];
  const audit: LedgerAudit = {
    at: now,
    freed: free.map(({ guest, order }) => `${guest} of order ${order}`),
    adopted: adopted.map(({ guest, order }) => `${guest} of order ${order}`),
    byHand: unpromised({ facts, promised }).filter(({ guest }) => guest === undefined).map(({ what }) => what),
    orphans: found.filter((owner) => !isClaimed(owner)).map((owner) => ({ ...owner, reason: claims.get(keyOf(owner))?.claimed === true ? 'its workflow is on another dom0' : claims.get(keyOf(owner))?.reason ?? '' })),
  };
  return { state: { ...state, facts, promised, audit }, audit, free: free.map(({ guest, order }) => ({ guest, order })) };
}
