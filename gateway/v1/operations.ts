/** Operations on a guest: one route for each kind that `contract/operations.ts` gives one, what was done, and one of them with its steps. */
import { randomBytes } from 'node:crypto';
import type { z } from 'zod';
import { GuestflowError } from '../../contract/errors.ts';
import { defined } from '../../contract/defined.ts';
import { operationWorkflowId } from '../../contract/names.ts';
import { OPERATION_KINDS, operationRecord, type OperationKind, type OperationRecord } from '../../contract/operations.ts';
import type { OperationWish } from '../../client/guests/access.ts';
import { planChange, type Plans } from '../../order/plans.ts';
import { suggestion } from '../../order/problems.ts';
import { jsonResponse, HttpRefusal } from '../../system/http/problem.ts';
import { invalid } from '../http/check.ts';
import { refusalOf } from '../http/refusal-of.ts';
import { declare, idOfKey, type Declaration, type V1Call, type V1Options } from './declaration.ts';
import type { GuestApi } from './guest-api.ts';
import { cancelledSchema, type OperationDocument } from './answers.ts';
import { COMPONENTS } from './components.ts';
import { emptyRequestSchema, OPERATION_ID, waitQuerySchema } from './requests.ts';

const list = declare({
  method: 'GET',
  path: '/v1/guests/:name/operations',
  operationId: 'listOperations',
  summary: 'What was done with a guest',
  scope: 'guests:read',
  about: 'guest',
  gives: { 200: ['OperationList', 'Its operations, newest first.'] },
  answer: async ({ path }, { guests }) => jsonResponse(200, { operations: await guests.operations(path.name) }),
});

const show = declare({
  method: 'GET',
  path: '/v1/guests/:name/operations/:id',
  operationId: 'getOperation',
  summary: 'See an operation and its steps',
  scope: 'guests:read',
  about: 'guest',
  query: waitQuerySchema,
  gives: { 200: ['Operation', 'The operation.'] },
  async answer({ path, query: { wait }, token, hasAnother }, { guests, waitForNews }) {
    const [, kind = '', id = ''] = OPERATION_ID.exec(path.id) ?? [];
    const look = (): Promise<OperationDocument> => guests.operation(path.name, kind, id);
    if (wait === undefined) return jsonResponse(200, await look());
    const isNews = (found: OperationDocument): boolean => found.state !== 'pending' || hasAnother(found);
    return jsonResponse(200, await waitForNews(token.id, wait, look, isNews));
  },
});

const cancel = declare({
  method: 'POST',
  path: '/v1/guests/:name/cancel',
  operationId: 'cancelOperation',
  summary: 'Cancel what is being done on a guest',
  scope: 'guests:operate',
  about: 'guest',
  body: { published: 'Empty', checks: emptyRequestSchema, mayBeLeftOut: true },
  gives: { 200: ['Cancelled', 'It is being undone, or nothing ran.'] },
  async answer({ path: { name }, note }, { guests }) {
    note({ guest: name });
    return jsonResponse(200, cancelledSchema.parse({ guest: name, ...defined({ cancelled: await guests.cancel(name) }) }));
  },
});

const BY_KIND = OPERATION_KINDS.flatMap((kind) => {
  const { api } = operationRecord(kind);
  return api === undefined ? [] : [operating(kind, api)];
});

export const OPERATION_ROUTES = [...BY_KIND, cancel, list, show];

type Takes = NonNullable<OperationRecord['api']>['takes'];
type Body<T extends Takes> = z.output<(typeof COMPONENTS)[T]>;

type Wish = Omit<OperationWish, 'kind' | 'id'>;

/** What a guest is asked for, by what a request holds. */
const WISHES: { readonly [T in Takes]: (body: Body<T>, guest: string, plans: Plans) => Wish } = {
  Empty: () => ({}),
  Terminate: ({ now, confirm }, guest) => {
    if (now && confirm !== guest) throw invalid([{ field: 'confirm', reason: "is not the guest's name" }]);
    return now ? { now } : {};
  },
  OneBackup: ({ backup }) => defined({ backup }),
  Restore: ({ backup, at, dom0 }) => defined({ backup, at, dom0 }),
  Keys: ({ sshKeys, how }) => ({ access: { sshKeys: sshKeys === 'none' ? [] : sshKeys, ...defined({ how }) } }),
  Reinstall: ({ dist, sshKeys, passwordHash }) => ({ reinstall: defined({ dist, sshKeys, passwordHash }) }),
  Rescue: ({ sshKeys, passwordHash }) => ({ rescue: defined({ sshKeys, passwordHash }) }),
  Hostname: ({ hostname, how }) => ({ access: { hostname, ...defined({ how }) } }),
  Password: ({ passwordHash, how }) => ({ access: { passwordHash, ...defined({ how }) } }),
  Resize: ({ disk, how }) => ({ resize: { diskBytes: disk, ...defined({ how }) } }),
  ChangePlan: ({ plan: name, restart }, _guest, plans) => {
    const plan = plans.get(name);
    if (plan === undefined) throw invalid([{ field: 'plan', value: name, reason: `is no plan${suggestion(name, [...plans.keys()])}` }]);
    return { change: planChange(name, plan, restart) };
  },
};

function operating(kind: OperationKind, { path, summary, scope, takes }: NonNullable<OperationRecord['api']>): Declaration {
  const schema: z.ZodType = COMPONENTS[takes];
  return declare({
    method: 'POST',
    path: `/v1/guests/:name/${path}`,
    operationId: `${kind}Guest`,
    summary,
    scope,
    about: 'guest',
    isKeyed: true,
    body: { published: takes, checks: schema, ...(schema.safeParse({}).success ? { mayBeLeftOut: true } : {}) },
    gives: { 200: ['Operation', 'It is done, or it failed.'], 202: ['Operation', 'It goes on.'] },
    answer: (call, options) => {
      const wishOf = WISHES[takes] as (body: unknown, guest: string, plans: Plans) => Wish;
      const wish = wishOf(call.body, call.path.name, options.plans);
      return operate(wish.dom0 === undefined ? kind : 'restoreElsewhere', call, options, wish);
    },
  });
}

async function operate(
  kind: OperationKind,
  { path: { name }, key, token, note }: V1Call<'/v1/guests/:name', unknown, unknown>,
  { guests }: V1Options,
  wish: Wish,
): Promise<Response> {
  const id = key === undefined ? `api-${randomBytes(10).toString('hex')}` : idOfKey({ token }, name, key);
  note({ guest: name, operation: kind, workflow: operationWorkflowId(name, kind, id) });
  const document = await outcomeOf(guests, name, { kind, id, ...wish });
  return jsonResponse(document.state === 'pending' ? 202 : 200, document, {
    location: `/v1/guests/${encodeURIComponent(name)}/operations/${encodeURIComponent(document.id)}`,
  });
}

/**
 * Asks a guest for an operation, and waits a moment for its end.
 *
 * @throws HttpRefusal when it is refused, or fails as it was asked for
 */
export async function outcomeOf(guests: GuestApi, guest: string, request: OperationWish): Promise<OperationDocument> {
  const outcome = await guests.operate(guest, request);
  if (outcome.state === 'refused')
    throw outcome.type === 'NotFound' ? new HttpRefusal(404, 'not-found', outcome.message) : new HttpRefusal(409, 'busy', outcome.message);
  if (outcome.state === 'failed' && outcome.type === 'InvalidInput')
    throw refusalOf(new GuestflowError('InvalidInput', outcome.message, defined({ field: outcome.field })));
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
