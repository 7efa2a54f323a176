/** dom0Task: looks at a dom0, and does tasks on it that are not operations on a guest. */
import { ApplicationFailure, CancellationScope, executeChild, uuid4 } from '@temporalio/workflow';
import type { Claim } from '../../activities/control/claims.ts';
import type { Owner } from '../../contract/capacity.ts';
import { operationWorkflowId } from '../../contract/names.ts';
import { GOLDEN, UNKNOWN_ORDER, type AuditRow, type MarkedThing } from '../../contract/dom0.ts';
import { RENEWAL_ORDER } from '../../contract/golden.ts';
import type { GuestRef } from '../../contract/guest.ts';
import type { Dom0TaskInput } from '../../contract/workflow-inputs.ts';
import { keyOf } from './audit-ledger.ts';
import { claimsOf } from './dom0-audit.ts';
import { renewGolden } from './renew-golden.ts';
import { Operation, rootFailure } from '../saga/operation.ts';
import { control, dom0Steps } from '../saga/proxies.ts';
import { declareVersioning } from '../saga/versioning.ts';

/** One look at a dom0, or one task on it that is not an operation on a guest. */
export async function dom0Task(input: Dom0TaskInput): Promise<unknown> {
  const { host } = dom0Steps(input.host, input.host);
  switch (input.task) {
    case 'preflight':
      return host.preflight(undefined);
    case 'prepare':
      return host.prepare(undefined);
    case 'facts':
      return host.dom0Facts(undefined);
    case 'domains':
      return host.domains(undefined);
    case 'audit':
      return auditRows(input.host, await host.audit(undefined));
    case 'clean':
      return clean(input.host, input.orphans ?? []);
    case 'remove':
      return Promise.all((input.orphans ?? []).map((orphan) => remove(input.host, orphan)));
    case 'inspect':
      return host.inspectGuest({ ref: guestOf(input), consoleLines: input.lines ?? 0 });
    case 'usage':
      return host.lookAtUsage(guestOf(input));
    case 'find':
      return host.findGuest(guestOf(input));
    case 'foreign':
      return host.findForeign(given(input, 'foreign', 'the name of a guest'));
    case 'renew':
      return renewGolden(input.host, input.renewal ?? {});
    case 'console':
      return host.openConsole({ ref: guestOf(input), console: given(input, 'console', 'the id of a console') });
    case 'files':
      return host.openFiles({ ref: guestOf(input), files: given(input, 'files', 'the id of a backup') });
  }
}

const guestOf = (input: Dom0TaskInput): GuestRef => given(input, 'guest', 'a guest');

/** A parameter that this task cannot do without. */
function given<K extends keyof Dom0TaskInput>(input: Dom0TaskInput, key: K, what: string): NonNullable<Dom0TaskInput[K]> {
  const value = input[key];
  if (value === undefined)
    throw ApplicationFailure.create({ type: 'InvalidInput', nonRetryable: true, message: `${input.task} needs ${what}` });
  return value;
}

async function claimOf(host: string, { guest, order }: Owner): Promise<Claim> {
  const [claim] = await control.claims([{ guest, order, dom0: host }]);
  return claim ?? { claimed: true, reason: 'unknown' };
}

/** A guest claims what is on its own dom0. The ledger's audit says the same. */
function judged(host: string, { claimed, reason, dom0 = host }: Claim): Pick<AuditRow, 'claimed' | 'reason'> {
  return claimed && dom0 !== host ? { claimed: false, reason: `its guest is on dom0 ${dom0}` } : { claimed, reason };
}

/** What was found, by guest and order, and whether somebody claims it. */
async function auditRows(host: string, things: readonly MarkedThing[]): Promise<AuditRow[]> {
  const owners = new Map<string, Owner & { things: string[] }>();
  for (const { what, guest, order } of things) {
    const key = keyOf({ guest, order });
    const owner = owners.get(key) ?? { guest, order, things: [] };
    owner.things.push(what);
    owners.set(key, owner);
  }
  const all = [...owners.values()];
  const claims = await claimsOf(host, all);
  const rows: AuditRow[] = [];
  // One after the other: a look at a thousand orphans must not take all slots from orders.
  for (const [index, owner] of all.entries()) {
    const claim = claims[index] ?? { claimed: true, reason: 'unknown' };
    rows.push({ ...owner, things: [...owner.things, ...(await schedulesLeft(host, owner, claim))], ...judged(host, claim) });
  }
  return rows;
}

/** The Schedule of an orphan's backups. The Schedule of a guest that lives, here or on another dom0, is not counted: it belongs to that guest. */
async function schedulesLeft(host: string, { guest, order }: Owner, { claimed }: Claim): Promise<string[]> {
  return claimed || order === UNKNOWN_ORDER ? [] : control.schedulesLeft({ name: guest, order, dom0: host });
}

type Cleaned = Owner & { readonly outcome: string };

/** Removes what these orders have on the dom0, each on its own. Nothing that a workflow claims can be removed this way. */
async function clean(host: string, orphans: readonly Owner[]): Promise<Cleaned[]> {
  const outcomes = [];
  for (const { guest, order } of orphans) {
    const orphan = { guest, order };
    const outcome = await (guest.startsWith(GOLDEN) ? discardGolden(host, orphan) : removeBesides(host, orphan)).catch(
      (error: unknown) => rootFailure(error).message,
    );
    outcomes.push({ ...orphan, outcome });
  }
  return outcomes;
}

const REMOVED = 'removed';

/** Removes an orphan in a workflow of its own, with an id like a guest's operation: so two removals of one guest never run at the same time. */
async function removeBesides(host: string, orphan: Owner): Promise<string> {
  const [outcome] = (await executeChild(dom0Task, {
    args: [{ host, task: 'remove', orphans: [orphan] }],
    workflowId: operationWorkflowId(orphan.guest, 'clean', orphan.order),
    staticSummary: `remove orphan ${orphan.guest}`,
  })) as string[];
  return outcome ?? 'unknown';
}

/** Discards a half-made tarball, and what a renewal has left. If a guest's step is making it just now, this waits for that. */
async function discardGolden(host: string, golden: Owner): Promise<string> {
  const { claimed, reason } = await claimOf(host, golden);
  if (claimed) return `left alone: ${reason}`;
  const dist = golden.guest.slice(GOLDEN.length);
  const { undoBulk } = dom0Steps(host, golden.guest);
  await undoBulk.discardHalfGolden({ dist });
  await undoBulk.endGoldenTrial({ dist });
  await undoBulk.discardNextGolden({ dist });
  await control.leaveDom0({ name: golden.guest, order: RENEWAL_ORDER, dom0: host });
  return REMOVED;
}

/** Why nothing of this owner may be removed from the dom0, if that is so. */
function whyNot(host: string, claim: Claim): string | undefined {
  const { claimed, reason } = judged(host, claim);
  if (claimed) return `left alone: it is claimed by a guest that is ${reason}`;
  // What is known only by its place may belong to the other guest; a removal under its name would end that guest's steps.
  return claim.dom0 === host && !claim.claimed ? `left alone as long as that guest is on this dom0: ${reason}` : undefined;
}

/**
 * Removes what an orphan has on this dom0. What Temporal has of it (Schedule, lease, reservation) is removed only if no guest on any dom0 claims it: a guest
 * on another dom0 may be of the same order. Claims are looked at before each removal, since one may take hours.
 */
async function remove(host: string, orphan: Owner): Promise<string> {
  const { guest, order } = orphan;
  const isKnown = order !== UNKNOWN_ORDER;
  // No guest has this order, so the removals reach only what is known by its place.
  const ref: GuestRef = { name: guest, order: isKnown ? order : `unknown-${uuid4()}`, dom0: host };
  const { host: look, undo, undoBulk } = dom0Steps(host, guest);
  const unlessClaimed =
    (work: () => Promise<unknown>) =>
    async ({ claimed }: Claim): Promise<unknown> =>
      claimed ? undefined : work();
  const byMark = [
    ['schedule', unlessClaimed(() => control.unscheduleNightly(ref))],
    ['domain', () => undo.destroyGuest(ref)],
    ['volumes', () => undoBulk.removeVolumes(ref)],
  ] as const;
  const removals: readonly (readonly [string, (claim: Claim) => Promise<unknown>])[] = [
    ...(isKnown ? byMark : []),
    ['image', () => undo.removeImage(ref)],
    ['cfg', () => undo.removeCfg(ref)],
    ['backups', () => undo.removeBackups(ref)],
    ['state', () => undo.removeGuestState(ref)],
  ];
  const release = unlessClaimed(() => control.release(ref));
  const operation = new Operation(`Removing the orphan **${guest}** from ${host}`, [
    ...removals.map(([name]) => name),
    ...(isKnown ? ['lease'] : []),
  ]);
  return CancellationScope.nonCancellable(async () => {
    const failed: string[] = [];
    for (const [name, work] of removals) {
      const claim = await claimOf(host, orphan);
      const reason = whyNot(host, claim);
      if (reason !== undefined) return reason;
      await operation.step(name, () => work(claim)).catch((error: unknown) => failed.push(`${name}: ${rootFailure(error).message}`));
    }
    const isItsOwn = (thing: MarkedThing): boolean => thing.guest === guest && [order, UNKNOWN_ORDER].includes(thing.order);
    const onDom0 = (await look.audit(undefined)).filter(isItsOwn).map(({ what }) => what);
    const claim = await claimOf(host, orphan);
    const left = [...onDom0, ...(await schedulesLeft(host, orphan, claim))];
    if (left.length > 0) return [`not all could be removed. Left: ${left.join(', ')}`, ...failed].join('; ');
    if (isKnown) await operation.step('lease', () => release(claim));
    return REMOVED;
  });
}

declareVersioning('PINNED', dom0Task);
