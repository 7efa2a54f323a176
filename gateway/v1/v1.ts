/** `/v1`: the REST API for panels and scripts. It does what the command line does, through the same library. */
import { createHash, randomBytes } from 'node:crypto';
import { guestNameOfOrder } from '../../order/billing-events.ts';
import { whyNotGuestName } from '../../contract/guest-name.ts';
import { OPERATION_KINDS, operationRecord } from '../../contract/operations.ts';
import { checkOrder } from '../../order/order.ts';
import type { Plans } from '../../order/plans.ts';
import type { GuestStatus, OperationKind, OperationRequest } from '../../contract/types.ts';
import { readJsonText, readOptionalJsonText, type BodyLimits } from '../../system/http/body.ts';
import { checkOpenly, invalid } from '../http/check.ts';
import { openCursor, sealCursor } from './cursor.ts';
import type { GuestApi } from './guest-api.ts';
import { parseJson } from '../http/json.ts';
import { openApi } from './openapi.ts';
import { jsonResponse, Refusal } from '../../system/http/problem.ts';
import type { Call, Route } from '../../system/http/router.ts';
import { authorize, type Scope, type TokenRecord } from './tokens.ts';
import {
  billingPartSchema,
  emptyRequestSchema,
  IDEMPOTENCY_KEY,
  listQuerySchema,
  OPERATION_ID,
  terminateRequestSchema,
  type GuestDocument,
  type OperationDocument,
} from './schemas.ts';
import { defined } from '../../contract/defined.ts';

export interface V1Options {
  readonly guests: GuestApi;
  readonly plans: Plans;
  /** As they are now: a token that is taken back is refused at once. */
  readonly tokens: () => readonly TokenRecord[];
  readonly body: BodyLimits;
}

/** The routes. */
export function v1Routes(options: V1Options): Route[] {
  const guarded = (
    method: Route['method'],
    path: string,
    scope: Scope,
    handle: (call: Call, token: TokenRecord, options: V1Options) => Promise<Response>,
    query: readonly string[] = [],
  ): Route => ({
    method,
    path,
    query,
    handle: (call) => {
      const token = authorize(call.request, options.tokens(), scope);
      call.note({ token: token.id });
      return handle(call, token, options);
    },
  });
  const document = openApi();
  return [
    { method: 'GET', path: '/v1/openapi.json', handle: () => jsonResponse(200, document, { 'cache-control': 'max-age=300' }) },
    guarded('POST', '/v1/guests', 'guests:order', order),
    guarded('GET', '/v1/guests', 'guests:read', list, Object.keys(listQuerySchema.shape)),
    guarded('GET', '/v1/guests/:name', 'guests:read', async (call, _token, { guests }) =>
      jsonResponse(200, toDocument(await guests.status(nameOf(call)))),
    ),
    guarded('GET', '/v1/guests/:name/operations', 'guests:read', async (call, _token, { guests }) =>
      jsonResponse(200, { operations: await guests.operations(nameOf(call)) }),
    ),
    guarded('GET', '/v1/guests/:name/operations/:id', 'guests:read', operation),
    ...OPERATION_KINDS.flatMap((kind) => {
      const { api } = operationRecord(kind);
      if (api === undefined) return [];
      return [guarded('POST', `/v1/guests/:name/${api.path}`, api.scope, api.takes === 'Empty' ? operating(kind) : terminate)];
    }),
  ];
}

async function order(call: Call, token: TokenRecord, { guests, plans, body }: V1Options): Promise<Response> {
  const raw = parseJson(await readJsonText(call.request, body));
  const { order: given, name, hostname, customer } = checkOpenly(billingPartSchema, raw);
  const key = idempotencyKey(call);
  const id = given ?? (key === undefined ? undefined : `api-${hash(token.id, key)}`);
  if (id === undefined)
    throw invalid([
      { field: 'order', reason: 'is missing, and so is Idempotency-Key: without either a request that is sent twice would be two orders' },
    ]);
  const { hostname: _hostname, customer: _customer, ...document } = raw as Record<string, unknown>;
  const unplaced = checkOrder({ ...document, order: id, name: name ?? guestNameOfOrder(id) }, { plans });
  const taken = await guests.order({
    ...unplaced,
    ...defined({ hostname, customer }),
  });
  call.note({ guest: taken.guest, order: taken.order });
  return jsonResponse(202, taken, { location: `/v1/guests/${encodeURIComponent(taken.guest)}` });
}

async function list(call: Call, token: TokenRecord, { guests }: V1Options): Promise<Response> {
  const { limit, cursor, ...filters } = checkOpenly(listQuerySchema, Object.fromEntries(call.url.searchParams));
  const scope = { token: token.sha256, filters };
  const page = await guests.list({ limit, ...filters, ...(cursor === undefined ? {} : { cursor: openCursor(cursor, scope) }) });
  return jsonResponse(200, { guests: page.guests, ...(page.next === undefined ? {} : { next: sealCursor(page.next, scope) }) });
}

async function operation(call: Call, _token: TokenRecord, { guests }: V1Options): Promise<Response> {
  const [, kind, id] = OPERATION_ID.exec(call.path['id'] ?? '') ?? [];
  if (kind === undefined || id === undefined) throw new Refusal(404, 'not-found', 'there is no such operation');
  return jsonResponse(200, await guests.operation(nameOf(call), kind, id));
}

function operating(kind: OperationKind): (call: Call, token: TokenRecord, options: V1Options) => Promise<Response> {
  return async (call, token, options) => {
    const text = await readOptionalJsonText(call.request, options.body);
    if (text !== undefined) checkOpenly(emptyRequestSchema, parseJson(text));
    return operate(call, token, options, { kind });
  };
}

async function terminate(call: Call, token: TokenRecord, options: V1Options): Promise<Response> {
  const text = await readOptionalJsonText(call.request, options.body);
  const { now, confirm } = checkOpenly(terminateRequestSchema, text === undefined ? {} : parseJson(text));
  if (now && confirm !== nameOf(call)) throw invalid([{ field: 'confirm', reason: "is not the guest's name" }]);
  return operate(call, token, options, { kind: 'terminate', ...(now ? { now } : {}) });
}

async function operate(call: Call, token: TokenRecord, { guests }: V1Options, wanted: Omit<OperationRequest, 'id'>): Promise<Response> {
  const name = nameOf(call);
  const key = idempotencyKey(call);
  const request: OperationRequest = {
    ...wanted,
    id: `api-${key === undefined ? randomBytes(10).toString('hex') : hash(token.id, name, key)}`,
  };
  call.note({ guest: name, operation: request.kind });
  const outcome = await guests.operate(name, request);
  if (outcome.state === 'refused')
    throw new Refusal(outcome.type === 'NotFound' ? 404 : 409, outcome.type === 'NotFound' ? 'not-found' : 'busy', outcome.message);
  if (outcome.state === 'done' && outcome.result.kind !== request.kind)
    throw new Refusal(409, 'key-reused', `this Idempotency-Key was used for ${outcome.result.kind} of ${name}`);
  const id = `${request.kind}.${request.id}`;
  const document: OperationDocument = {
    id,
    guest: name,
    kind: request.kind,
    state: outcome.state,
    ...(outcome.state === 'done' ? { phase: outcome.result.phase, ...defined({ graceUntil: outcome.result.graceUntil }) } : {}),
    ...(outcome.state === 'failed' ? { error: { type: outcome.type, message: outcome.message } } : {}),
  };
  return jsonResponse(outcome.state === 'pending' ? 202 : 200, document, {
    location: `/v1/guests/${encodeURIComponent(name)}/operations/${encodeURIComponent(id)}`,
  });
}

function nameOf({ path }: Call): string {
  const name = path['name'] ?? '';
  if (whyNotGuestName(name) !== undefined) throw new Refusal(404, 'not-found', 'there is no guest of that name');
  return name;
}

function idempotencyKey({ request }: Call): string | undefined {
  const key = request.headers.get('idempotency-key') ?? undefined;
  if (key !== undefined && !IDEMPOTENCY_KEY.test(key))
    throw invalid([{ field: 'Idempotency-Key', reason: 'must be 1-200 printable characters without blanks' }]);
  return key;
}

/** Two tokens may use the same key without meaning the same. */
function hash(...parts: readonly string[]): string {
  return createHash('sha256').update(parts.join('\0')).digest('hex').slice(0, 24);
}

/** What is shown of a guest. Keys and hashes of passwords are not. */
function toDocument({
  name,
  hostname,
  order: id,
  plan,
  dom0,
  phase,
  orderedAt,
  spec,
  graceUntil,
  operation: running,
  queued,
  warnings,
  error,
}: GuestStatus): GuestDocument {
  return {
    name,
    hostname: hostname ?? name,
    order: id,
    plan,
    dom0,
    phase,
    orderedAt,
    warnings: [...warnings],
    waiting: [...queued],
    ...(spec === undefined
      ? {}
      : { ip: spec.network.ip, memoryBytes: spec.size.memoryBytes, vcpus: spec.size.vcpus, diskBytes: spec.size.diskBytes }),
    ...(spec?.customer === undefined ? {} : { customer: spec.customer }),
    ...defined({ graceUntil }),
    ...(running === undefined ? {} : { operation: { kind: running.kind, startedAt: running.startedAt } }),
    ...(error === undefined ? {} : { error: { type: error.type, message: error.message } }),
  };
}
