/** How a route of `/v1` is declared: from its declaration follow its routing, the checks of what comes in, and its part of the OpenAPI document. */
import { createHash } from 'node:crypto';
import type { z } from 'zod';
import { GUEST_NAME_FORM, whyNotGuestName } from '../../contract/guest-name.ts';
import type { Scope } from '../../contract/scopes.ts';
import type { Plans } from '../../order/plans.ts';
import { readJsonText, readOptionalJsonText, type BodyLimits } from '../../system/http/body.ts';
import { HttpRefusal, jsonText } from '../../system/http/problem.ts';
import type { Call, Route } from '../../system/http/router.ts';
import type { ConsoleHub } from '../console/hub.ts';
import { check, invalid } from '../http/check.ts';
import { parseJson } from '../http/json.ts';
import { etagOf, namesTag, tagged } from './etags.ts';
import type { GuestApi } from './guest-api.ts';
import type { CountRequest } from './rate.ts';
import type { Component } from './components.ts';
import { IDEMPOTENCY_KEY, OPERATION_ID } from './requests.ts';
import { mustConcern, NO_GUEST, subjectOf, type About, type Subject } from './subjects.ts';
import { authorize, type TokenRecord } from './tokens.ts';
import type { WaitForNews } from './waiting.ts';

export interface V1Options {
  readonly guests: GuestApi;
  readonly plans: Plans;
  /** As they are now: a token that is taken back is refused at once. */
  readonly tokens: () => readonly TokenRecord[];
  readonly body: BodyLimits;
  /** Makes a link to the customer's page. Default: this gateway has none. */
  readonly signInLink?: SignInLink | undefined;
  /** The consoles of this process. Default: it has none. */
  readonly consoles?: ConsoleHub | undefined;
  /** When it fires, no request waits for news any longer. Default: none does it. */
  readonly stopping?: AbortSignal | undefined;
}

/** What all routes of a gateway share. */
export interface Shared {
  readonly count: CountRequest;
  readonly waitForNews: WaitForNews;
}

/** A link that signs somebody in, once, and shows a guest; good for so many seconds. */
export type SignInLink = (
  subject: Exclude<Subject, { readonly kind: 'provider' }>,
  guest: string,
  seconds: number,
) => { readonly url: string; readonly expiresAt: string };

/** A request whose token, query, body, path and key are checked. */
export interface V1Call<P extends string, Q, B> extends Pick<Call, 'note'> {
  readonly token: TokenRecord;
  /** For whom the token speaks; what it may not be asked for was refused. */
  readonly subject: Subject;
  readonly path: Readonly<Record<NamesIn<P>, string>>;
  readonly query: Q;
  readonly body: B;
  /** Idempotency-Key. */
  readonly key: string | undefined;
  /** Whether the client has another answer than this one, as its If-None-Match says. Without one it has none. */
  readonly hasAnother: (answer: unknown) => boolean;
}

/** What stands for a part of the path: `name` of `/v1/guests/:name`. */
type NamesIn<P extends string> = P extends `${string}/:${infer Name}/${infer Rest}`
  ? Name | NamesIn<`/${Rest}`>
  : P extends `${string}/:${infer Name}`
    ? Name
    : never;

export interface Declaration<P extends string = string, Q extends z.ZodObject = z.ZodObject, B = unknown> {
  readonly method: Route['method'];
  /** Like `/v1/guests/:name`. */
  readonly path: P;
  readonly operationId: string;
  readonly summary: string;
  /** What its token must be for. */
  readonly scope: Scope;
  /** What it is about: so for whom its token must speak (`subjects.ts`). */
  readonly about: About;
  /** Default: it has no query. */
  readonly query?: Q;
  /** Default: it takes no body. */
  readonly body?: {
    readonly published: Component;
    readonly checks: z.ZodType<B>;
    /** It is `{}` then. */
    readonly mayBeLeftOut?: true;
  };
  /** It takes an Idempotency-Key. */
  readonly isKeyed?: true;
  /** Its answers by status, with what each means. */
  readonly gives: Readonly<Record<number, readonly [component: Component, description: string]>>;
  answer(call: V1Call<P, z.output<Q>, B>, options: V1Options & Pick<Shared, 'waitForNews'>): Promise<Response>;
}

/** A declaration whose `answer` has the types of what the rest of it declares. */
export function declare<P extends string, Q extends z.ZodObject, B>(declaration: Declaration<P, Q, B>): Declaration {
  return declaration;
}

/** What may stand in a path: how it is published, what is checked, and the answer otherwise. */
export const PATH_PARAMETERS: Readonly<
  Record<string, { readonly form: object; isNone(value: string): boolean; readonly otherwise: string }>
> = {
  name: {
    form: { schema: { type: 'string', ...GUEST_NAME_FORM }, description: 'Name of the guest.', example: 'guest1' },
    isNone: (value) => whyNotGuestName(value) !== undefined,
    otherwise: NO_GUEST,
  },
  id: {
    form: { schema: { type: 'string', pattern: OPERATION_ID.source }, description: 'Id of the operation.' },
    isNone: (value) => !OPERATION_ID.test(value),
    otherwise: 'there is no such operation',
  },
};

/**
 * The route: checks token, how often it asks, query, body, path, key and for whom the token speaks, in this order, and answers.
 *
 * @param shared by all routes
 */
export function toRoute(declaration: Declaration, options: V1Options, { count, waitForNews }: Shared): Route {
  const { method, path, query, scope, isKeyed } = declaration;
  return {
    method,
    path,
    query: Object.keys(query?.shape ?? {}),
    handle: async (call) => {
      const token = authorize(call.request, options.tokens(), scope);
      call.note({ token: token.id });
      const rate = await count(token);
      const checked = {
        token,
        subject: subjectOf(token),
        note: (fields: Readonly<Record<string, unknown>>) => call.note(fields),
        query: query === undefined ? {} : check(query, Object.fromEntries(call.url.searchParams), { showsValues: true }),
        body: await readBody(declaration, call.request, options.body),
        path: checkPath(call.path),
        key: isKeyed === true ? readKey(call.request) : undefined,
        hasAnother: (answer: unknown) => {
          const named = call.request.headers.get('if-none-match');
          return named !== null && !namesTag(named, etagOf(jsonText(answer)));
        },
      };
      await mustConcern(declaration.about, checked, options.guests);
      const response = await tagged(call.request, await declaration.answer(checked, { ...options, waitForNews }));
      for (const [name, value] of Object.entries(rate)) response.headers.set(name, value);
      return response;
    },
  };
}

async function readBody({ body }: Declaration, request: Request, limits: BodyLimits): Promise<unknown> {
  if (body === undefined) return undefined;
  const text = await (body.mayBeLeftOut === true ? readOptionalJsonText : readJsonText)(request, limits);
  return check(body.checks, text === undefined ? {} : parseJson(text), { showsValues: true });
}

function checkPath(path: Call['path']): Call['path'] {
  for (const [name, value] of Object.entries(path)) {
    const parameter = PATH_PARAMETERS[name];
    if (parameter?.isNone(value) === true) throw new HttpRefusal(404, 'not-found', parameter.otherwise);
  }
  return path;
}

function readKey(request: Request): string | undefined {
  const key = request.headers.get('idempotency-key') ?? undefined;
  if (key !== undefined && !IDEMPOTENCY_KEY.test(key))
    throw invalid([{ field: 'Idempotency-Key', reason: 'must be 1-200 printable characters without blanks' }]);
  return key;
}

/** The id of what a key asks for. Two tokens may use the same key without meaning the same. */
export function idOfKey({ token }: { readonly token: TokenRecord }, ...parts: readonly string[]): string {
  return `api-${createHash('sha256')
    .update([token.id, ...parts].join('\0'))
    .digest('hex')
    .slice(0, 24)}`;
}
