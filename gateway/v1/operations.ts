/** Operations on a guest: one route for each kind that `contract/operations.ts` gives one, what was done, and one of them with its steps. */
import { randomBytes } from 'node:crypto';
import type { z } from 'zod';
import { defined } from '../../contract/defined.ts';
import { OPERATION_KINDS, operationRecord, type OperationKind, type OperationRecord } from '../../contract/operations.ts';
import type { OperationRequest } from '../../contract/guest.ts';
import { jsonResponse, HttpRefusal } from '../../system/http/problem.ts';
import { invalid } from '../http/check.ts';
import { declare, idOfKey, type Declaration, type V1Call, type V1Options } from './declaration.ts';
import type { GuestApi } from './guest-api.ts';
import { COMPONENTS, OPERATION_ID, type OperationDocument } from './schemas.ts';

const list = declare({
  method: 'GET',
  path: '/v1/guests/:name/operations',
  operationId: 'listOperations',
  summary: 'What was done with a guest',
  scope: 'guests:read',
  gives: { 200: ['OperationList', 'Its operations, newest first.'] },
  answer: async ({ path }, { guests }) => jsonResponse(200, { operations: await guests.operations(path.name) }),
});

const show = declare({
  method: 'GET',
  path: '/v1/guests/:name/operations/:id',
  operationId: 'getOperation',
  summary: 'See an operation and its steps',
  scope: 'guests:read',
  gives: { 200: ['Operation', 'The operation.'] },
  answer: async ({ path }, { guests }) => {
    const [, kind = '', id = ''] = OPERATION_ID.exec(path.id) ?? [];
    return jsonResponse(200, await guests.operation(path.name, kind, id));
  },
});

const BY_KIND = OPERATION_KINDS.flatMap((kind) => {
  const { api } = operationRecord(kind);
  return api === undefined ? [] : [operating(kind, api)];
});

export const OPERATION_ROUTES = [...BY_KIND, list, show];

/** What a request for an operation may say. */
interface Wish {
  readonly now?: boolean;
  /** With now: the guest's name. */
  readonly confirm?: string | undefined;
}

function operating(kind: OperationKind, { path, summary, scope, takes }: NonNullable<OperationRecord['api']>): Declaration {
  return declare({
    method: 'POST',
    path: `/v1/guests/:name/${path}`,
    operationId: `${kind}Guest`,
    summary,
    scope,
    isKeyed: true,
    body: { published: takes, checks: COMPONENTS[takes] as z.ZodType<Wish>, mayBeLeftOut: true },
    gives: { 200: ['Operation', 'It is done, or it failed.'], 202: ['Operation', 'It goes on.'] },
    answer: (call, options) => operate(kind, call, options),
  });
}

async function operate(
  kind: OperationKind,
  { body: { now = false, confirm }, path: { name }, key, token, note }: V1Call<'/v1/guests/:name', unknown, Wish>,
  { guests }: V1Options,
): Promise<Response> {
  if (now && confirm !== name) throw invalid([{ field: 'confirm', reason: "is not the guest's name" }]);
  const id = key === undefined ? `api-${randomBytes(10).toString('hex')}` : idOfKey({ token }, name, key);
  note({ guest: name, operation: kind });
  const document = await outcomeOf(guests, name, { kind, id, ...(now ? { now } : {}) });
  return jsonResponse(document.state === 'pending' ? 202 : 200, document, {
    location: `/v1/guests/${encodeURIComponent(name)}/operations/${encodeURIComponent(document.id)}`,
  });
}

async function outcomeOf(guests: GuestApi, guest: string, request: OperationRequest): Promise<OperationDocument> {
  const outcome = await guests.operate(guest, request);
  if (outcome.state === 'refused')
    throw outcome.type === 'NotFound' ? new HttpRefusal(404, 'not-found', outcome.message) : new HttpRefusal(409, 'busy', outcome.message);
  if (outcome.state === 'done' && outcome.result.kind !== request.kind)
    throw new HttpRefusal(409, 'key-reused', `this Idempotency-Key was used for ${outcome.result.kind} of ${guest}`);
  return {
    id: `${request.kind}.${request.id}`,
    guest,
    kind: request.kind,
    state: outcome.state,
    ...(outcome.state === 'done' ? { phase: outcome.result.phase, ...defined({ graceUntil: outcome.result.graceUntil }) } : {}),
    ...(outcome.state === 'failed' ? { error: { type: outcome.type, message: outcome.message } } : {}),
  };
}
