/** The look of an audit: at the dom0, and at the workflows of its guests. */
import { log, proxyActivities } from '@temporalio/workflow';
import type { Claim } from '../../activities/control/claims.ts';
import type { ControlActivities } from '../../activities/control/activities.ts';
import type { ShortActivities } from '../../activities/dom0/activities.ts';
import type { Owner } from '../../contract/capacity.ts';
import { CONTROL_QUEUE, dom0Queue } from '../../contract/names.ts';
import type { Dom0State } from '../../contract/dom0.ts';
import { keyOf, type Look } from './audit-ledger.ts';
import { rootFailure } from '../saga/operation.ts';
import { OUTSIDE_CALL } from '../saga/time-limits.ts';

/** An audit does not wait for a dom0 that is away: the next audit comes by itself. */
const LOOK = { scheduleToCloseTimeout: '3 minutes', heartbeatTimeout: '40 seconds', retry: { maximumAttempts: 2 } } as const;
const ASK = {
  taskQueue: CONTROL_QUEUE,
  scheduleToCloseTimeout: '5 minutes',
  startToCloseTimeout: '1 minute',
  retry: { maximumAttempts: 3 },
} as const;

const control = proxyActivities<Pick<ControlActivities, 'claims' | 'observe' | 'release'>>(ASK);
const { tellGuests: tell } = proxyActivities<Pick<ControlActivities, 'tellGuests'>>({ ...OUTSIDE_CALL, taskQueue: CONTROL_QUEUE });

/** Tells the guests of a dom0 that it is lost, or was found again: those that it has reserved for, and those whose workflows say that they are on it. */
export async function tellGuests({ host, lost, promised }: Dom0State): Promise<void> {
  await tell(
    { dom0: host, ...(lost === undefined ? {} : { since: lost }) },
    promised.map(({ guest }) => guest),
  );
}

/** Owners in one call: its input and its answer stay far below the two megabytes that Temporal takes. */
const OWNERS_AT_ONCE = 500;

/** Who claims what is on a dom0, one page after the other. */
export async function claimsOf(host: string, owners: readonly Owner[]): Promise<Claim[]> {
  const claims: Claim[] = [];
  for (let from = 0; from < owners.length; from += OWNERS_AT_ONCE) {
    const page = owners.slice(from, from + OWNERS_AT_ONCE);
    claims.push(...(await control.claims(page.map(({ guest, order }) => ({ guest, order, dom0: host })))));
  }
  return claims;
}

/** Looks at the dom0 and at the claims on what it has. If something cannot be seen, the audit has a problem, and the ledger stays as it is. */
export async function findClaims({ host, promised }: Dom0State): Promise<Look> {
  const steps = proxyActivities<Pick<ShortActivities, 'dom0Facts' | 'audit'>>({ ...LOOK, taskQueue: dom0Queue(host) });
  try {
    const facts = await steps.dom0Facts(undefined);
    const things = await steps.audit(undefined);
    await control.observe(facts);
    const found = [...new Map(things.map(({ guest, order }) => [keyOf({ guest, order }), { guest, order }])).values()];
    const asked = [
      ...new Map([...found, ...promised.map(({ guest, order }) => ({ guest, order }))].map((owner) => [keyOf(owner), owner])).values(),
    ];
    const claims = await claimsOf(host, asked);
    return {
      facts,
      found,
      claims: new Map(asked.map((owner, index) => [keyOf(owner), claims[index] ?? { claimed: true, reason: 'unknown' }])),
    };
  } catch (error) {
    return { problem: `it could not look: ${rootFailure(error).message}` };
  }
}

/** Gives the addresses of freed reservations back. Each claim is looked at again first: an order may have come for it meanwhile. */
export async function releaseLeases(host: string, freed: readonly Owner[]): Promise<void> {
  for (const owner of freed) {
    try {
      const [claim] = await claimsOf(host, [owner]);
      if (claim?.claimed === false) await control.release({ name: owner.guest, order: owner.order, dom0: host });
    } catch (error) {
      log.warn('the address of a reservation that was freed stays leased', { ...owner, reason: rootFailure(error).message });
    }
  }
}
