/** Guests for `/v1`, over the client library. */
import { defaultPayloadConverter } from '@temporalio/common';
import { listDom0s } from '../../client/listing.ts';
import { placeOrder } from '../../client/orders.ts';
import { placeAndReserve } from '../../client/placement.ts';
import { readStatus } from '../../client/progress.ts';
import type { Session } from '../../client/session.ts';
import { GuestflowError } from '../../contract/errors.ts';
import { guestWorkflowId, SEARCH_ATTRIBUTES, WORKFLOWS } from '../../contract/names.ts';
import type { UnplacedOrder } from '../../order/order.ts';
import { operate, type ChooseDom0 } from '../../activities/control/billing/desk.ts';
import type { GuestApi, ListRequest } from './guest-api.ts';
import { within } from '../lazy-session.ts';
import { listOperations, readOperation } from './temporal-operations.ts';
import type { GuestRowDocument } from './schemas.ts';

/** How long the end of an operation is waited for: most take longer, and are asked for later. */
const WAIT_MS = 500;

/** What takes longer is answered with 503. */
const ANSWER_MS = 5_000;

/** Over one connection. */
export function createGuestApi(session: () => Promise<Session>, chooseDom0: ChooseDom0 = placeAndReserve): GuestApi {
  const ask = <T>(work: (connected: Session) => Promise<T>): Promise<T> => within(ANSWER_MS, async () => work(await session()));
  return {
    order: (order) => ask((connected) => placed(connected, order, chooseDom0)),
    status: (name) => ask((connected) => readStatus(connected, name)),
    list: (request) => ask((connected) => page(connected, request)),
    operate: (name, request) => ask((connected) => operate(connected, name, request, WAIT_MS)),
    operations: (name) =>
      ask(async (connected) => {
        // A guest that there is not has no operations, which is another answer than none.
        await readStatus(connected, name);
        return listOperations(connected, name);
      }),
    operation: (name, kind, id) => ask((connected) => readOperation(connected, name, kind, id)),
  };
}

async function placed(
  session: Session,
  order: UnplacedOrder,
  chooseDom0: ChooseDom0,
): Promise<{ guest: string; order: string; dom0: string }> {
  const dom0 = (await dom0OfFormer(session, order)) ?? order.dom0 ?? (await chooseDom0(session, order));
  if (order.dom0 !== undefined && !(await listDom0s(session)).includes(order.dom0))
    throw new GuestflowError('InvalidInput', `dom0 ${order.dom0} is not known`, { field: 'dom0' });
  const answer = await placeOrder(session, { ...order, dom0 });
  return { guest: answer.name, order: answer.order, dom0 };
}

/** An order that was placed before keeps its dom0, where the request names none. */
async function dom0OfFormer(session: Session, { name, order, dom0 }: UnplacedOrder): Promise<string | undefined> {
  if (dom0 !== undefined) return undefined;
  try {
    const former = await readStatus(session, name);
    return former.order === order ? former.dom0 : undefined;
  } catch (error) {
    if (error instanceof GuestflowError && error.type === 'NotFound') return undefined;
    throw error;
  }
}

/** One page, as the server cuts it: its own token is the cursor. */
async function page(session: Session, { limit, cursor, phase, dom0 }: ListRequest): Promise<{ guests: GuestRowDocument[]; next?: string }> {
  const terms = [`WorkflowType = '${WORKFLOWS.guest}'`, `ExecutionStatus != 'ContinuedAsNew'`];
  if (phase !== undefined) terms.push(`${SEARCH_ATTRIBUTES.phase} = '${phase}'`);
  if (dom0 !== undefined) terms.push(`${SEARCH_ATTRIBUTES.dom0} = '${dom0}'`);
  const { workflowService } = session.connection;
  const { executions, nextPageToken } = await session
    .call('the list of guests', () =>
      workflowService.listWorkflowExecutions({
        namespace: session.endpoint.namespace,
        query: terms.join(' AND '),
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
  return { guests: executions.map(toRow), ...(next === '' ? {} : { next }) };
}

type RawExecution = NonNullable<
  Awaited<ReturnType<Session['connection']['workflowService']['listWorkflowExecutions']>>['executions']
>[number];

function toRow({ execution, startTime, searchAttributes }: RawExecution): GuestRowDocument {
  const attribute = (name: string): string => {
    const payload = searchAttributes?.indexedFields?.[name];
    const value: unknown = payload === undefined ? '' : defaultPayloadConverter.fromPayload(payload);
    return typeof value === 'string' ? value : '';
  };
  return {
    name: (execution?.workflowId ?? '').slice(guestWorkflowId('').length),
    order: attribute(SEARCH_ATTRIBUTES.order),
    plan: attribute(SEARCH_ATTRIBUTES.plan),
    dom0: attribute(SEARCH_ATTRIBUTES.dom0),
    phase: attribute(SEARCH_ATTRIBUTES.phase),
    orderedAt: new Date(Number(startTime?.seconds ?? 0) * 1_000).toISOString(),
  };
}
