/** Bearer tokens of `/v1`: made once, shown once, kept as hashes. */
import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import { z } from 'zod';
import { customerId } from '../../order/billing-events.ts';
import { orderSchema } from '../../order/order.ts';
import { parseDocument } from '../../order/document.ts';
import { defined } from '../../contract/defined.ts';
import { GuestflowError } from '../../contract/errors.ts';
import { SCOPES, type Scope } from '../../contract/scopes.ts';
import { problemsError, problemsOf } from '../../order/problems.ts';
import { HttpRefusal } from '../../system/http/problem.ts';

const scopes = Object.keys(SCOPES) as [Scope, ...Scope[]];

const tokenSchema = z
  .strictObject({
    id: z.string().regex(/^[a-z0-9][a-z0-9-]{0,31}$/, 'must be 1-32 letters a-z, digits, hyphens'),
    scopes: z.array(z.enum(scopes, { error: `must be one of ${scopes.join(', ')}` })).min(1, 'names no scope'),
    /** Of the whole token. It has 256 random bits: a slow hash would gain nothing. */
    sha256: z.string().regex(/^[0-9a-f]{64}$/, 'is no sha256 in hexadecimal'),
    created: z.string().max(40).optional(),
    /** It speaks for this customer, and is for that customer's guests only. */
    customer: customerId.optional(),
    /** It is for this guest only. Neither: it speaks for the provider, and is for all. */
    guest: orderSchema.shape.name.optional(),
    /** How many requests a minute a gateway process takes of it. Default: 600. */
    perMinute: z
      .number('must be a number')
      .int('must be a whole number')
      .min(1, 'must be 1 or more')
      .max(100_000, 'must be 100000 or less')
      .optional(),
  })
  .refine(({ customer, guest }) => customer === undefined || guest === undefined, {
    path: ['guest'],
    error: 'does not go with customer: a token speaks for one of the two',
  });
const fileSchema = z.strictObject({ tokens: z.array(tokenSchema) });

export type TokenRecord = z.output<typeof tokenSchema>;

/** For whom a token speaks, as its record has it: not both; and how often it may ask. */
export type TokenBounds = Partial<Record<'customer' | 'guest', string | undefined>> & { readonly perMinute?: number | undefined };

/** Reads a file of tokens. Throws GuestflowError InvalidInput. */
export function parseTokens(bytes: Uint8Array, what: string): readonly TokenRecord[] {
  const raw = parseDocument(bytes, what);
  const parsed = fileSchema.safeParse(raw);
  if (!parsed.success) throw problemsError(what, problemsOf(parsed.error, raw, ['tokens']));
  const ids = parsed.data.tokens.map(({ id }) => id);
  const twice = ids.find((id, index) => ids.indexOf(id) !== index);
  if (twice !== undefined) throw new GuestflowError('InvalidInput', `${what} has two tokens called ${twice}`, { field: 'tokens' });
  return parsed.data.tokens;
}

/**
 * Makes a token and the record that is kept of it.
 *
 * @param bounds for whom it speaks, and how often. Default: for the provider, 600 times a minute
 */
export function makeToken(
  id: string,
  wanted: readonly string[],
  now: Date,
  bounds: TokenBounds = {},
): { readonly token: string; readonly record: TokenRecord } {
  const token = `gf_${id}_${randomBytes(32).toString('base64url')}`;
  const record = { id, scopes: [...wanted], sha256: hashOf(token), created: now.toISOString(), ...defined({ ...bounds }) };
  const parsed = tokenSchema.safeParse(record);
  if (!parsed.success) throw problemsError('the token', problemsOf(parsed.error, record, []));
  return { token, record: parsed.data };
}

/**
 * The record of the token that a request carries.
 *
 * @throws HttpRefusal 401 without a known token, 403 when it is not for this
 */
export function authorize(request: Request, tokens: readonly TokenRecord[], scope: Scope): TokenRecord {
  const [, token = '', id] = /^Bearer +(gf_([a-z0-9-]{1,32})_[A-Za-z0-9_-]{43})$/i.exec(request.headers.get('authorization') ?? '') ?? [];
  const record = tokens.find((known) => known.id === id);
  // Unknown ids take as long as known ones.
  const isRight = timingSafeEqual(Buffer.from(hashOf(token), 'hex'), Buffer.from(record?.sha256 ?? '0'.repeat(64), 'hex'));
  if (record === undefined || !isRight)
    throw new HttpRefusal(
      401,
      'bad-token',
      'a bearer token is needed; this is none of ours',
      {},
      { 'www-authenticate': 'Bearer realm="guestflow"' },
    );
  if (!record.scopes.includes(scope)) {
    throw new HttpRefusal(
      403,
      'scope',
      `this token is not for ${scope}`,
      { scope },
      { 'www-authenticate': `Bearer realm="guestflow", error="insufficient_scope", scope="${scope}"` },
    );
  }
  return record;
}

function hashOf(token: string): string {
  return createHash('sha256').update(token).digest('hex');
}
