/**
 * For whom a token speaks: the provider, one customer, or one guest; and what each may be asked for. Every route says what it is about, and every call is
 * checked here. To a customer, a guest of somebody else is one that does not exist: the same answer, and nothing asked that takes another time.
 */
import { HttpRefusal } from '../../system/http/problem.ts';
import type { GuestApi, ListRequest } from './guest-api.ts';
import type { TokenRecord } from './tokens.ts';

export type Subject =
  | { readonly kind: 'provider' }
  | { readonly kind: 'customer'; readonly customer: string }
  | { readonly kind: 'guest'; readonly guest: string };

/**
 * What a route is about.
 * - `guest`: the guest that its path names. For the provider, for its customer, and for itself.
 * - `list`: guests. Each subject gets its own.
 * - `order`: a guest that there is to be. For the provider, and for a customer, who says no more than what a shop lets a customer choose.
 * - `plans`: what is the same for all.
 * - `fleet`: the dom0s. For the provider.
 * - `provider`: the guest that its path names, but only for the provider.
 */
export type About = 'guest' | 'list' | 'order' | 'plans' | 'fleet' | 'provider';

/** The answer for a guest that does not exist, or not for this subject. */
export const NO_GUEST = 'there is no guest of that name';

/** What a customer may say of an order. The rest is the provider's: names and ids are found by trying them, addresses and dom0s are not for sale. */
const OF_CUSTOMERS: ReadonlySet<string> = new Set(['customer', 'plan', 'hostname', 'sshKeys', 'passwordHash', 'dist', 'timezone']);

export function subjectOf({ customer, guest }: Pick<TokenRecord, 'customer' | 'guest'>): Subject {
  if (customer !== undefined) return { kind: 'customer', customer };
  return guest === undefined ? { kind: 'provider' } : { kind: 'guest', guest };
}

/** The customer for whom it speaks, where it speaks for one. */
export function customerOf(subject: Subject): string | undefined {
  return subject.kind === 'customer' ? subject.customer : undefined;
}

/** A checked request, as far as it tells what it is about. */
interface Asked {
  readonly subject: Subject;
  readonly path: Readonly<Record<string, string>>;
  readonly body: unknown;
}

/**
 * Refuses what a subject may not be asked for.
 *
 * @throws HttpRefusal 403 for what is not for this kind of subject; 404 for a guest that is not its own
 */
export async function mustConcern(about: About, { subject, path, body }: Asked, guests: Pick<GuestApi, 'isOf'>): Promise<void> {
  if (subject.kind === 'provider' || about === 'plans' || about === 'list') return;
  if (about === 'guest') return mustBeOwn(subject, path['name'] ?? '', guests);
  if (about !== 'order') throw notFor(subject, 'speaks for a %, and this is for the provider');
  if (subject.kind === 'guest') throw notFor(subject, 'speaks for a %, which cannot order');
  mustBeOrderOf(subject.customer, body);
}

/**
 * Refuses a guest that is not the subject's own.
 *
 * @throws HttpRefusal 404, the same as for a guest that does not exist
 */
export async function mustBeOwn(subject: Subject, guest: string, guests: Pick<GuestApi, 'isOf'>): Promise<void> {
  if (subject.kind === 'provider') return;
  const isOwn = subject.kind === 'guest' ? subject.guest === guest : await guests.isOf(guest, subject.customer);
  if (!isOwn) throw new HttpRefusal(404, 'not-found', NO_GUEST);
}

function mustBeOrderOf(customer: string, body: unknown): void {
  const said = Object.keys(body ?? {});
  const other = said.find((field) => !OF_CUSTOMERS.has(field));
  if (other !== undefined)
    throw new HttpRefusal(403, 'subject', `this token speaks for a customer, who orders without ${other}`, {
      field: other,
      reason: `is not a customer's to say: known are ${[...OF_CUSTOMERS].join(', ')}`,
    });
  const { customer: named = customer } = (body ?? {}) as { customer?: unknown };
  if (named !== customer)
    throw new HttpRefusal(403, 'subject', 'this token cannot order for another customer', {
      field: 'customer',
      reason: 'is not the customer for whom the token speaks',
    });
}

function notFor({ kind }: Subject, why: string): HttpRefusal {
  return new HttpRefusal(403, 'subject', `this token ${why.replace('%', kind)}`, { subject: kind });
}

/**
 * The filters of a list, narrowed to what is the subject's own.
 *
 * @returns undefined when they are for somebody else's guests: the list is empty then
 */
export function onlyOwn<F extends Pick<ListRequest, 'customer'>>(
  subject: Subject,
  filters: F,
): (F & Pick<ListRequest, 'customer' | 'guest'>) | undefined {
  if (subject.kind === 'provider') return filters;
  if (subject.kind === 'guest') return filters.customer === undefined ? { ...filters, guest: subject.guest } : undefined;
  return filters.customer === undefined || filters.customer === subject.customer ? { ...filters, customer: subject.customer } : undefined;
}
