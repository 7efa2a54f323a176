/** Which guests' workflows stand behind what an audit found on a dom0. No guest is disturbed for it: Temporal's server answers. */
import type { Client, WorkflowExecutionInfo } from '@temporalio/client';
import { defineSearchAttributeKey } from '@temporalio/common';
import { guestWorkflowId, QUERIES, SEARCH_ATTRIBUTES, WORKFLOWS } from '../../contract/names.ts';
import { TAKES_MEMO, takenBy, type Takes } from '../../contract/takes.ts';
import { Gate } from '../../system/gate.ts';
import { GOLDEN, UNKNOWN_ORDER, type GuestPhase } from '../../contract/types.ts';
import { query } from '../../client/workflow-calls.ts';
import { unlessMissing } from './refusals.ts';

/** Whether a workflow stands behind what was promised to a guest, and what it takes. */
export interface Claim {
  readonly claimed: boolean;
  /** Its phase, or why nobody claims it. */
  readonly reason: string;
  /** Where the guest of that name lives, of whichever order it is. */
  readonly dom0?: string;
  readonly takes?: Takes;
}

/** Whose something on a dom0 is. `dom0`: that one. */
export interface OwnerOn {
  readonly guest: string;
  readonly order: string;
  readonly dom0?: string;
}

/** What Temporal knows of a guest's workflow that runs. */
interface Known {
  readonly order: string;
  readonly dom0: string;
  readonly phase: string;
  readonly takes: Takes | undefined;
}

/** So few are looked at one by one, which is exact: what visibility lists may be a second old. */
const FEW = 10;
/** What is promised to one that is being made was promised by its order. */
const TAKES_NOTHING: ReadonlySet<string> = new Set<GuestPhase>(['ordered', 'provisioning', 'failed', 'needs-cleanup', 'gone']);
const AT_ONCE = 5;
const PAGE = 200;

/**
 * Which of these a workflow claims, wherever that guest lives, and why the others are orphans.
 *
 * Many are first looked for in the list of the dom0's running guests. What the list does not show as it should be (it is of another order or another
 * dom0, or not there) is looked at by itself, a few at a time, before it is believed: a list may be a second old.
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
  const where = dom0 === undefined ? '' : ` AND ${SEARCH_ATTRIBUTES.dom0} = '${dom0}'`;
  const query = `WorkflowType = '${WORKFLOWS.provisionGuest}' AND ExecutionStatus = 'Running'${where}`;
  const { count } = await client.workflow.count(query);
  return count > 0
    ? { claimed: true, reason: 'a guest is being provisioned' }
    : { claimed: false, reason: 'no guest is being provisioned' };
}

/** The guests of the owners' dom0s that run, as visibility has them. */
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

/** Undefined when the workflow says too little of itself: somebody started it by hand. */
function knownFrom({ typedSearchAttributes, memo }: Pick<WorkflowExecutionInfo, 'typedSearchAttributes' | 'memo'>): Known | undefined {
  const attribute = (name: string): string | undefined => typedSearchAttributes.get(defineSearchAttributeKey(name, 'KEYWORD'));
  const [order, dom0, phase] = [SEARCH_ATTRIBUTES.order, SEARCH_ATTRIBUTES.dom0, SEARCH_ATTRIBUTES.phase].map(attribute);
  if (order === undefined || dom0 === undefined || phase === undefined) return undefined;
  return { order, dom0, phase, takes: memo?.[TAKES_MEMO] as Takes | undefined };
}

/** Whether it says what it takes, if it takes anything yet, or still. */
function isComplete({ phase, takes }: Known): boolean {
  return takes !== undefined || TAKES_NOTHING.has(phase);
}

/** One guest, as the server has it now. One whose workflow says too little of itself is asked. */
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
  // One that is gone has backups at most. What is known by its place only has marks elsewhere, by which it is counted.
  return { claimed: true, reason: phase, dom0, ...(takes === undefined || phase === 'gone' || isUnknown ? {} : { takes }) };
}
