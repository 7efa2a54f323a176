/** Which workflows of guests claim what an audit found on a dom0. Temporal's server answers that, so almost no guest's workflow is woken. */
import type { Client, WorkflowExecutionInfo } from '@temporalio/client';
import { defineSearchAttributeKey } from '@temporalio/common';
import { guestWorkflowId, QUERIES, renewalWorkflowId, SEARCH_ATTRIBUTES, WORKFLOWS } from '../../contract/names.ts';
import { TAKES_MEMO, takenBy, type Takes } from '../../contract/takes.ts';
import { Gate } from '../../system/gate.ts';
import { GOLDEN, UNKNOWN_ORDER } from '../../contract/dom0.ts';
import type { GuestPhase } from '../../contract/guest.ts';
import { query } from '../../client/workflow-calls.ts';
import { unlessMissing } from './refusals.ts';

/** Whether a workflow claims what is there for a guest, and what the guest takes. */
export interface Claim {
  readonly claimed: boolean;
  /** Its phase, or why nobody claims it. */
  readonly reason: string;
  /** The dom0 of the guest of that name, whatever its order. */
  readonly dom0?: string;
  readonly takes?: Takes;
}

/** The owner of something on a dom0. `dom0`: the dom0 on which it was found. */
export interface OwnerOn {
  readonly guest: string;
  readonly order: string;
  readonly dom0?: string;
}

/** What Temporal knows of a running workflow of a guest. */
interface Known {
  readonly order: string;
  readonly dom0: string;
  readonly phase: string;
  readonly takes: Takes | undefined;
}

/** Up to so many owners are looked at one by one, which is exact; a list of visibility may be a second old. */
const FEW = 10;
/** In these phases a guest's workflow does not say what it takes; its order says it, or it takes nothing any more. */
const TAKES_NOTHING: ReadonlySet<string> = new Set<GuestPhase>(['ordered', 'provisioning', 'failed', 'needs-cleanup', 'gone']);
const AT_ONCE = 5;
const PAGE = 200;

/**
 * Which of these a workflow claims, on whichever dom0 that guest lives, and why the others are orphans.
 *
 * If there are many, they are looked for first in the list of the dom0's running guests. That list may be a second old. So if it does not show an owner as
 * claimed on this dom0 by this order, the owner's workflow is looked at directly, a few at a time.
 */
export async function claimsOf(client: Client, owners: readonly OwnerOn[]): Promise<Claim[]> {
  const listed = owners.length > FEW ? await listedOn(client, owners) : new Map<string, Known>();
  const gate = new Gate(AT_ONCE);
  const golden = new Map<string, Promise<Claim>>();
  return Promise.all(
    owners.map(async (owner): Promise<Claim> => {
      const { guest, dom0 = '' } = owner;
      if (guest.startsWith(GOLDEN)) {
        const known = golden.get(dom0) ?? ofGolden(client, owner.dom0);
        golden.set(dom0, known);
        return known;
      }
      const seen = listed.get(guest);
      const claim = seen === undefined ? undefined : judge(owner, seen);
      if (seen !== undefined && isComplete(seen) && claim?.claimed === true && claim.dom0 === dom0) return claim;
      return gate.pass('', () => lookedAt(client, owner));
    }),
  );
}

async function ofGolden(client: Client, dom0: string | undefined): Promise<Claim> {
  if (dom0 !== undefined && (await isRenewing(client, dom0))) return { claimed: true, reason: 'golden images are being renewed' };
  const where = dom0 === undefined ? '' : ` AND ${SEARCH_ATTRIBUTES.dom0} = '${dom0}'`;
  const query = `WorkflowType = '${WORKFLOWS.provisionGuest}' AND ExecutionStatus = 'Running'${where}`;
  const { count } = await client.workflow.count(query);
  return count > 0
    ? { claimed: true, reason: 'a guest is being provisioned' }
    : { claimed: false, reason: 'no guest is being provisioned' };
}

async function isRenewing(client: Client, dom0: string): Promise<boolean> {
  const info = await unlessMissing(client.workflow.getHandle(renewalWorkflowId(dom0)).describe());
  return info?.status.name === 'RUNNING';
}

/** The running guests of the owners' dom0s, from visibility. */
async function listedOn(client: Client, owners: readonly OwnerOn[]): Promise<ReadonlyMap<string, Known>> {
  const wanted = new Set(owners.map(({ guest }) => guest));
  const found = new Map<string, Known>();
  for (const dom0 of new Set(owners.map((owner) => owner.dom0))) {
    if (dom0 === undefined) continue;
    const query = `WorkflowType = '${WORKFLOWS.guest}' AND ExecutionStatus = 'Running' AND ${SEARCH_ATTRIBUTES.dom0} = '${dom0}'`;
    for await (const info of client.workflow.list({ query, pageSize: PAGE })) {
      const name = info.workflowId.slice(guestWorkflowId('').length);
      const known = wanted.has(name) ? knownFrom(info) : undefined;
      if (known !== undefined) found.set(name, known);
    }
  }
  return found;
}

/** Undefined if search attributes are missing: somebody started the workflow by hand. */
function knownFrom({ typedSearchAttributes, memo }: Pick<WorkflowExecutionInfo, 'typedSearchAttributes' | 'memo'>): Known | undefined {
  const attribute = (name: string): string | undefined => typedSearchAttributes.get(defineSearchAttributeKey(name, 'KEYWORD'));
  const [order, dom0, phase] = [SEARCH_ATTRIBUTES.order, SEARCH_ATTRIBUTES.dom0, SEARCH_ATTRIBUTES.phase].map(attribute);
  if (order === undefined || dom0 === undefined || phase === undefined) return undefined;
  return { order, dom0, phase, takes: memo?.[TAKES_MEMO] as Takes | undefined };
}

/** Whether the workflow says what its guest takes, if the guest takes anything. */
function isComplete({ phase, takes }: Known): boolean {
  return takes !== undefined || TAKES_NOTHING.has(phase);
}

/** Looks at one guest's workflow directly. If its search attributes and memo say too little, the workflow is queried. */
async function lookedAt(client: Client, owner: OwnerOn): Promise<Claim> {
  const nobody = { claimed: false, reason: 'there is no workflow of that name' };
  const id = guestWorkflowId(owner.guest);
  const info = await unlessMissing(client.workflow.getHandle(id).describe());
  if (info === undefined) return nobody;
  if (info.status.name !== 'RUNNING') return { claimed: false, reason: `its workflow is over (${info.status.name.toLowerCase()})` };
  const known = knownFrom(info);
  if (known !== undefined && isComplete(known)) return judge(owner, known);
  const status = await unlessMissing(query(client, id, QUERIES.status));
  if (status === undefined) return nobody;
  const { order, dom0, phase, spec } = status;
  return judge(owner, { order, dom0, phase, takes: spec === undefined ? undefined : takenBy(spec) });
}

function judge({ order }: OwnerOn, { order: of, dom0, phase, takes }: Known): Claim {
  const isUnknown = order === UNKNOWN_ORDER;
  if (of !== order && !isUnknown) return { claimed: false, reason: `the guest of that name is of another order, ${of}`, dom0 };
  // A guest that is gone has backups at most. A thing that is known only by its place is counted elsewhere, by its marks.
  return { claimed: true, reason: phase, dom0, ...(takes === undefined || phase === 'gone' || isUnknown ? {} : { takes }) };
}
