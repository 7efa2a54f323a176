/** Guests, from Temporal's visibility store: what it lists may be a second old. */
import { defaultPayloadConverter } from '@temporalio/common';
import { BACKUPS_MEMO, type BackupHealth } from '../../contract/backup-health.ts';
import { GuestflowError } from '../../contract/errors.ts';
import { DOM0_NAME_PATTERN } from '../../contract/guest-name.ts';
import { guestWorkflowId, SEARCH_ATTRIBUTES, WORKFLOWS } from '../../contract/names.ts';
import { readPayload } from '../codec/read.ts';
import { customerMarks } from '../customers.ts';
import type { Session } from '../session.ts';

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
  /** When its workflow ended: it failed, or is gone. */
  readonly endedAt?: string;
  /** How its backups are; unknown of one that has not said so yet. */
  readonly backups?: BackupHealth;
}

/** Which guests are listed. */
export interface ListFilter {
  readonly phase?: string | undefined;
  readonly dom0?: string | undefined;
  /** Only guests of the customer with this id. */
  readonly customer?: string | undefined;
  /** Only the guest of this name. */
  readonly guest?: string | undefined;
  /** Lists guests that are gone, too. Default: false. */
  readonly all?: boolean;
}

export interface PageRequest extends Omit<ListFilter, 'all'> {
  readonly limit: number;
  /** `next` of the page before, unchanged: Temporal's page token, base64url. */
  readonly cursor?: string | undefined;
}

export interface GuestPage {
  readonly rows: readonly GuestRow[];
  /** Undefined: these were the last. */
  readonly next?: string;
}

/** Rows that are asked for at a time. */
const PAGE = 1_000;

/** Guests, sorted by name. */
export async function listGuests(session: Session, { all, ...filter }: ListFilter = {}): Promise<GuestRow[]> {
  const rows = new Map<string, GuestRow>();
  for (let cursor: string | undefined, isFirst = true; isFirst || cursor !== undefined; isFirst = false) {
    const page = await pageOfGuests(session, { ...filter, limit: PAGE, cursor });
    for (const row of page.rows) {
      const known = rows.get(row.name);
      // If an order failed and the name was ordered again, there are two runs: the later one is the guest.
      if (known === undefined || known.orderedAt < row.orderedAt) rows.set(row.name, row);
    }
    cursor = page.next;
  }
  const wanted = all === true || filter.phase === 'gone' ? () => true : (row: GuestRow) => row.phase !== 'gone';
  return [...rows.values()].filter(wanted).sort((a, b) => a.name.localeCompare(b.name));
}

/** One page, newest first, as the server cuts it: every run of a name, and those that are gone, too. */
export async function pageOfGuests(session: Session, { limit, cursor, ...filter }: PageRequest): Promise<GuestPage> {
  const query = queryOf(session, filter);
  const { executions, nextPageToken } = await session
    .call('the list of guests', () =>
      session.client.workflowService.listWorkflowExecutions({
        namespace: session.endpoint.namespace,
        query,
        pageSize: limit,
        nextPageToken: Buffer.from(cursor ?? '', 'base64url'),
      }),
    )
    .catch((error: unknown) => {
      if (cursor !== undefined && error instanceof GuestflowError && error.type !== 'Unreachable')
        throw new GuestflowError('InvalidInput', 'cursor is too old for this Temporal: begin anew, without a cursor', { field: 'cursor' });
      throw error;
    });
  const next = Buffer.from(nextPageToken).toString('base64url');
  return { rows: await Promise.all(executions.map((run) => toRow(session, run))), ...(next === '' ? {} : { next }) };
}

function queryOf(session: Session, { phase, dom0, customer, guest }: Omit<ListFilter, 'all'>): string {
  const terms = [`WorkflowType = '${WORKFLOWS.guest}'`, `ExecutionStatus != 'ContinuedAsNew'`];
  if (phase !== undefined) terms.push(`${SEARCH_ATTRIBUTES.phase} = '${safe('phase', phase)}'`);
  if (dom0 !== undefined) terms.push(`${SEARCH_ATTRIBUTES.dom0} = '${safe('dom0', dom0)}'`);
  if (guest !== undefined) terms.push(`${SEARCH_ATTRIBUTES.guest} = '${safe('guest', guest)}'`);
  // Marks are hexadecimal, whatever the id is.
  if (customer !== undefined)
    terms.push(
      `${SEARCH_ATTRIBUTES.customer} IN (${customerMarks(session, customer)
        .map((mark) => `'${mark}'`)
        .join(', ')})`,
    );
  return terms.join(' AND ');
}

type RawRun = NonNullable<Awaited<ReturnType<Session['client']['workflowService']['listWorkflowExecutions']>>['executions']>[number];

async function toRow({ codec }: Session, { execution, startTime, closeTime, searchAttributes, memo }: RawRun): Promise<GuestRow> {
  const attribute = (name: string): string => {
    const payload = searchAttributes?.indexedFields?.[name];
    const value: unknown = payload === undefined ? '' : defaultPayloadConverter.fromPayload(payload);
    return typeof value === 'string' ? value : '';
  };
  const said = async (key: string): Promise<unknown> => {
    const shown = memo?.fields?.[key];
    return shown === undefined ? undefined : readPayload(codec, shown);
  };
  const workflowId = execution?.workflowId ?? '';
  const [ip, backups] = await Promise.all([said('ip'), said(BACKUPS_MEMO)]);
  return {
    name: workflowId.slice(guestWorkflowId('').length),
    phase: attribute(SEARCH_ATTRIBUTES.phase),
    dom0: attribute(SEARCH_ATTRIBUTES.dom0),
    plan: attribute(SEARCH_ATTRIBUTES.plan),
    order: attribute(SEARCH_ATTRIBUTES.order),
    ...(typeof ip === 'string' ? { ip } : {}),
    workflowId,
    orderedAt: toIso(startTime),
    ...(closeTime === undefined || closeTime === null ? {} : { endedAt: toIso(closeTime) }),
    // Only our own workflows write it.
    ...(typeof backups === 'object' && backups !== null ? { backups: backups as BackupHealth } : {}),
  };
}

/** What a filter is of, for the error. */
const WORDS = { phase: 'phase of a guest', dom0: 'name of a dom0', guest: 'name of a guest' } as const;
function toIso(time: RawRun['startTime']): string {
  return new Date(Number(time?.seconds ?? 0) * 1_000 + Math.floor((time?.nanos ?? 0) / 1e6)).toISOString();
}

/** A filter's value becomes part of a query's text, so only a plain word is allowed. */
function safe(field: keyof typeof WORDS, value: string): string {
  if (DOM0_NAME_PATTERN.test(value)) return value;
  throw new GuestflowError('InvalidInput', `${field} "${value}" is no ${WORDS[field]}`, { field, value });
}
