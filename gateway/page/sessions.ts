/** Tickets, which sign a customer in once, and sessions, which are cookies. Neither is kept: each says for whom it is, and until when. */
import { randomBytes } from 'node:crypto';
import { z } from 'zod';
import { HttpRefusal } from '../../system/http/problem.ts';
import type { Subject } from '../v1/subjects.ts';
import type { PageKeys, Use } from './keys.ts';

/** For whom the customer's page is: never for the provider. */
export type PageSubject = Exclude<Subject, { readonly kind: 'provider' }>;

const subjectSchema = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('customer'), customer: z.string() }),
  z.strictObject({ kind: z.literal('guest'), guest: z.string() }),
]);
const passSchema = z.strictObject({
  id: z.string(),
  subject: subjectSchema,
  /** Milliseconds since 1970. */
  expires: z.number(),
  /** Of a ticket: the guest whose page is shown first. */
  guest: z.string().optional(),
});

/** A ticket or a session. */
export interface Pass {
  readonly id: string;
  readonly subject: PageSubject;
  readonly expires: number;
  readonly guest?: string | undefined;
}

/** Cookie of the session. The prefix has browsers take it only over https, for this host alone and all of its paths. */
export const SESSION_COOKIE = '__Host-guestflow';

/** For how long somebody stays signed in, in seconds. The shop's link signs in again. */
export const SESSION_SECONDS = 4 * 3_600;

/** Makes a sealed ticket that is good for so many seconds. */
export function makeTicket(keys: PageKeys, pass: Pick<Pass, 'subject' | 'guest'>, seconds: number, nowMs: number): string {
  return seal(keys, 'ticket', { ...pass, id: newId(), expires: nowMs + seconds * 1_000 });
}

/**
 * The ticket.
 *
 * @throws HttpRefusal 410 `ticket` when it is none of ours, or too old
 */
export function openTicket(keys: PageKeys, sealed: string, nowMs: number): Pass {
  const ticket = open(keys, 'ticket', sealed, nowMs);
  if (ticket === undefined) throw new HttpRefusal(410, 'ticket', 'this link is not, or no longer, good');
  return ticket;
}

/** The value of `Set-Cookie` for a new session. */
export function sessionCookie(keys: PageKeys, subject: PageSubject, nowMs: number): string {
  const value = seal(keys, 'session', { id: newId(), subject, expires: nowMs + SESSION_SECONDS * 1_000 });
  return cookie(SESSION_COOKIE, value, SESSION_SECONDS);
}

/** Has the browser forget the session. */
export const NO_SESSION_COOKIE = cookie(SESSION_COOKIE, '', 0);

/**
 * The session of a request.
 *
 * @throws HttpRefusal 401 `signed-out`
 */
export function sessionOf(keys: PageKeys, request: Request, nowMs: number): Pass {
  const session = open(keys, 'session', readCookie(request, SESSION_COOKIE) ?? '', nowMs);
  if (session === undefined) throw new HttpRefusal(401, 'signed-out', 'you are not signed in');
  return session;
}

/** Who holds the consoles, and the opened backups, of a session. */
export function sessionHolder({ id }: Pass): string {
  return `session ${id}`;
}

/** A cookie that only this host gets, over https, from its own pages, and that no script reads. */
export function cookie(name: string, value: string, seconds: number): string {
  return `${name}=${value}; Path=/; Max-Age=${seconds}; HttpOnly; Secure; SameSite=Strict`;
}

export function readCookie(request: Request, name: string): string | undefined {
  const pairs = (request.headers.get('cookie') ?? '').split(';').map((pair) => pair.trim());
  return pairs.find((pair) => pair.startsWith(`${name}=`))?.slice(name.length + 1);
}

function newId(): string {
  return randomBytes(16).toString('base64url');
}

function seal(keys: PageKeys, use: Use, pass: Pass): string {
  return keys.seal(use, JSON.stringify(pass));
}

function open(keys: PageKeys, use: Use, sealed: string, nowMs: number): Pass | undefined {
  const text = keys.open(use, sealed);
  if (text === undefined) return undefined;
  // What was sealed is ours; a gateway of another version may have sealed it otherwise.
  const { success, data } = passSchema.safeParse(JSON.parse(text));
  return success && nowMs < data.expires ? data : undefined;
}
