/** Guests and dom0s, from Temporal's visibility store: what it lists may be a second old. */
import type { WorkflowExecutionInfo } from '@temporalio/client';
import { defineSearchAttributeKey } from '@temporalio/common';
import { GuestflowError } from '../contract/errors.ts';
import { DOM0_NAME_PATTERN } from '../contract/guest-name.ts';
import { SEARCH_ATTRIBUTES, WORKFLOWS } from '../contract/names.ts';
import type { Session } from './session.ts';

/** One row of a list of guests. */
export interface GuestRow {
  readonly name: string;
  readonly phase: string;
  readonly dom0: string;
  readonly plan: string;
  readonly order: string;
  readonly ip?: string;
  readonly workflowId: string;
  readonly orderedAt: string;
}

/** Which guests are listed. */
export interface ListFilter {
  readonly phase?: string;
  readonly dom0?: string;
  /** Those that are gone, too. Default: false. */
  readonly all?: boolean;
}

/** Guests, sorted by name. */
export async function listGuests(session: Session, filter: ListFilter = {}): Promise<GuestRow[]> {
  const terms = [`WorkflowType = '${WORKFLOWS.guest}'`, `ExecutionStatus != 'ContinuedAsNew'`];
  if (filter.phase !== undefined) terms.push(`${SEARCH_ATTRIBUTES.phase} = '${safe('phase', filter.phase)}'`);
  if (filter.dom0 !== undefined) terms.push(`${SEARCH_ATTRIBUTES.dom0} = '${safe('dom0', filter.dom0)}'`);
  const rows = new Map<string, GuestRow>();
  await session.call('the list of guests', async () => {
    for await (const info of session.client.workflow.list({ query: terms.join(' AND ') })) {
      const row = toRow(info);
      const known = rows.get(row.name);
      // A name that failed and was ordered again has two runs: the later one is the guest.
      if (known === undefined || known.orderedAt < row.orderedAt) rows.set(row.name, row);
    }
  });
  const wanted = filter.all === true || filter.phase === 'gone' ? () => true : (row: GuestRow) => row.phase !== 'gone';
  return [...rows.values()].filter(wanted).sort((a, b) => a.name.localeCompare(b.name));
}

/** Names of the dom0s that have registered. */
export async function listDom0s(session: Session): Promise<string[]> {
  const hosts: string[] = [];
  await session.call('the list of dom0s', async () => {
    for await (const { workflowId } of session.client.workflow.list({
      query: `WorkflowType = '${WORKFLOWS.dom0}' AND ExecutionStatus = 'Running'`,
    })) {
      hosts.push(workflowId.slice('dom0/'.length));
    }
  });
  return hosts.sort();
}

function toRow(info: WorkflowExecutionInfo): GuestRow {
  const attribute = (name: string): string => info.typedSearchAttributes.get(defineSearchAttributeKey(name, 'KEYWORD')) ?? '';
  const ip = info.memo?.['ip'];
  return {
    name: info.workflowId.slice('guest/'.length),
    phase: attribute(SEARCH_ATTRIBUTES.phase),
    dom0: attribute(SEARCH_ATTRIBUTES.dom0),
    plan: attribute(SEARCH_ATTRIBUTES.plan),
    order: attribute(SEARCH_ATTRIBUTES.order),
    ...(typeof ip === 'string' ? { ip } : {}),
    workflowId: info.workflowId,
    orderedAt: info.startTime.toISOString(),
  };
}

/** Filters go into a query's text: nothing but a plain word may. */
function safe(field: string, value: string): string {
  if (DOM0_NAME_PATTERN.test(value)) return value;
  throw new GuestflowError('InvalidInput', `${field} "${value}" is no ${field === 'phase' ? 'phase of a guest' : 'name of a dom0'}`, {
    field,
    value,
  });
}
