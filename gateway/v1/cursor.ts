/**
 * Cursors of lists: Temporal's own page token, signed for one bearer token and one set of filters. If Temporal is given an invalid page token it does not
 * refuse it: its client retries until the time limit. So a cursor must be known to be ours before Temporal sees it.
 */
import { createHash, createHmac, timingSafeEqual } from 'node:crypto';
import { invalid } from '../http/check.ts';

/** What a cursor is bound to. */
export interface CursorScope {
  /** sha256 of the bearer token. */
  readonly token: string;
  /** The filters of the list. How many guests a page has may change from page to page. */
  readonly filters: Readonly<Record<string, string | undefined>>;
}

/** Seconds for which a cursor is valid. */
const LIFETIME = 86_400;

/** Bytes in front of Temporal's token: when it was made, its filters, the signature. */
const [TIME, FILTERS, SIGNATURE] = [4, 8, 16];

/**
 * Makes a cursor.
 *
 * @param page Temporal's page token, base64url
 */
export function signCursor(page: string, scope: CursorScope, nowMs = Date.now()): string {
  const time = Buffer.alloc(TIME);
  time.writeUInt32BE(Math.floor(nowMs / 1_000));
  const signed = Buffer.concat([time, filtersOf(scope), Buffer.from(page, 'base64url')]);
  return Buffer.concat([signatureOf(signed, scope), signed]).toString('base64url');
}

/**
 * Temporal's page token, base64url.
 *
 * @throws HttpRefusal 422 when the cursor is not ours, not this token's, of other filters, or older than a day
 */
export function openCursor(cursor: string, scope: CursorScope, nowMs = Date.now()): string {
  const bytes = Buffer.from(cursor, 'base64url');
  const [signature, signed] = [bytes.subarray(0, SIGNATURE), bytes.subarray(SIGNATURE)];
  // A cursor has one spelling: base64url may hide bits in its last character.
  const isOurs =
    signed.length > TIME + FILTERS && bytes.toString('base64url') === cursor && timingSafeEqual(signature, signatureOf(signed, scope));
  if (!isOurs) throw refused(cursor, 'is no cursor that this token was given: take `next` of the answer before');
  if (!signed.subarray(TIME, TIME + FILTERS).equals(filtersOf(scope)))
    throw refused(cursor, 'is of a list with other filters: phase, dom0 and customer must stay as they were');
  if (nowMs / 1_000 - signed.readUInt32BE(0) > LIFETIME) throw refused(cursor, 'is older than a day: begin anew, without a cursor');
  return signed.subarray(TIME + FILTERS).toString('base64url');
}

function refused(cursor: string, reason: string): Error {
  return invalid([{ field: 'cursor', value: cursor.slice(0, 80), reason }]);
}

function signatureOf(signed: Buffer, { token }: CursorScope): Buffer {
  return createHmac('sha256', `cursor ${token}`).update(signed).digest().subarray(0, SIGNATURE);
}

function filtersOf({ filters }: CursorScope): Buffer {
  const said = Object.entries(filters)
    .filter(([, value]) => value !== undefined)
    .sort(([a], [b]) => (a < b ? -1 : 1));
  return createHash('sha256').update(JSON.stringify(said)).digest().subarray(0, FILTERS);
}
