/** Wishes in Stripe's metadata, each looked at by itself: one that cannot be had refuses nothing else. */
import { NEW, type BadWish, type BillingStatements, type Change, type WishField } from '../../../contract/billing.ts';
import { wishFields } from '../../../order/billing-events.ts';
import { sshKeyLines } from '../../../contract/ssh-key.ts';
import type { Catalogue } from '../catalogue.ts';
import { canonical } from '../../../contract/canonical.ts';
import { sha256 } from '../../http/json.ts';
import { fields, metadataOf, type StripeObject } from './shape.ts';

export type Said = Pick<BillingStatements, 'plan' | 'namedPlan' | 'wishes' | 'bad' | 'changes'>;

/** What an event says of the object before it. */
export interface Before {
  /** `undefined`: it says nothing. Otherwise all that is not among them was as it is. */
  readonly attributes: StripeObject | undefined;
  readonly isNew: boolean;
}

/** A copy, or what says nothing of what was before it. */
export const NOTHING_BEFORE: Before = { attributes: undefined, isNew: false };

const MENDS: Readonly<Record<Exclude<WishField, 'plan' | 'order'>, string>> = {
  namedPlan: 'name a plan of the file of plans in metadata.plan of the subscription, or add the plan to the file',
  hostname: 'correct metadata.hostname of the subscription',
  sshKeys: 'correct metadata.sshKeys of the subscription',
  customer: 'correct or remove metadata.customer of the subscription',
  dist: 'correct or remove metadata.dist of the subscription',
  timezone: 'correct or remove metadata.timezone of the subscription',
};

/** As many characters of a bad value are shown. */
const SHOWN = 80;

/** A value as it is shown: on one line, and not all of it. */
export function shown(value: unknown): string {
  const text = typeof value === 'string' ? value : canonical(value);
  return JSON.stringify(text.length > SHOWN ? `${text.slice(0, SHOWN)}…` : text).replace(
    /[^\x20-\x7e…]/g,
    (other) => `\\u${(other.codePointAt(0) ?? 0).toString(16).padStart(4, '0')}`,
  );
}

/** A value, as a key that two of the same have. */
export function keyOf(value: unknown): string {
  return sha256(canonical(value ?? '')).slice(0, 12);
}

/** A value, and what the event says that it was before. */
export function changeOf(is: unknown, before: Before, was: () => unknown): Change {
  if (before.isNew) return { is: keyOf(is), was: NEW };
  return before.attributes === undefined ? { is: keyOf(is) } : { is: keyOf(is), was: keyOf(was()) };
}

const READ = Object.keys(wishFields) as (keyof typeof wishFields)[];

/** What metadata wish beside a plan. */
export function wishesIn(metadata: StripeObject, before: Before, customer: string | undefined): Said {
  // Stripe's own id stands for a customer that metadata do not name well.
  const wishes: Record<string, unknown> = wishFields.customer.safeParse(customer).success ? { customer } : {};
  const bad: BadWish[] = [];
  const changes: Partial<Record<WishField, Change>> = {};
  for (const field of READ) {
    const change = changeIn(metadata, field, before);
    if (metadata[field] !== undefined) {
      const read = wishFields[field].safeParse(prepared(field, metadata[field]));
      if (read.success) wishes[field] = read.data;
      else if (wishes[field] === undefined) bad.push(badWish(field, metadata[field], read.error.issues[0]?.message ?? 'is none'));
    }
    if (metadata[field] !== undefined || isChange(change)) changes[field] = change;
  }
  return {
    ...(Object.keys(wishes).length === 0 ? {} : { wishes }),
    ...(bad.length === 0 ? {} : { bad }),
    ...(Object.keys(changes).length === 0 ? {} : { changes }),
  };
}

/** Whether there was something else before. */
export function isChange({ is, was }: Change): boolean {
  return was !== undefined && was !== is;
}

function changeIn(metadata: StripeObject, key: string, before: Before): Change {
  const former = fields(before.attributes?.['metadata']);
  return changeOf(metadata[key], before, () => (key in former ? metadataOf(former)[key] : metadata[key]));
}

/** Metadata is typed by hand: blanks around a value mean nothing. */
function prepared(field: string, value: unknown): unknown {
  if (typeof value !== 'string') return value;
  return field === 'sshKeys' ? sshKeyLines(value) : value.trim();
}

function badWish(field: keyof typeof MENDS, value: unknown, reason: string): BadWish {
  // A key is nobody's secret unless it is a private one, pasted by mistake.
  const what = field === 'sshKeys' ? '' : ` (${shown(value)})`;
  return { field, reason: `${reason}${what}`, mend: MENDS[field] };
}

/** The plan that metadata names; bad when there is none of that name. */
export function planNamedIn(metadata: StripeObject, catalogue: Catalogue, before: Before): Said {
  const name = metadata['plan'];
  const change = changeIn(metadata, 'plan', before);
  const changes = { namedPlan: change };
  if (name === undefined) return isChange(change) ? { changes } : {};
  const namedPlan = typeof name === 'string' ? catalogue.plan(name.trim()) : undefined;
  if (namedPlan !== undefined) return { namedPlan, changes };
  return { changes, bad: [badWish('namedPlan', name, `is no plan: there are ${[...catalogue.plans.keys()].join(', ')}`)] };
}

/**
 * What metadata say of the order's id: that it was taken out, or is there again.
 *
 * @param takenOut the id that was there
 */
export function saidOfOrder(metadata: StripeObject, before: Before, takenOut: string | undefined): Said {
  const change = changeIn(metadata, 'order', before);
  if (before.isNew || !isChange(change)) return {};
  const changes = { order: change };
  if (takenOut === undefined) return { changes };
  const reason = 'was taken out of the metadata of the subscription: of its next events nobody can tell whose they are';
  return { changes, bad: [{ field: 'order', reason, mend: `write ${takenOut} into metadata.order of the subscription again` }] };
}

/** Both of two. */
export function together(a: Said, b: Said): Said {
  const bad = [...(a.bad ?? []), ...(b.bad ?? [])];
  const changes = { ...a.changes, ...b.changes };
  return { ...a, ...b, ...(bad.length === 0 ? {} : { bad }), ...(Object.keys(changes).length === 0 ? {} : { changes }) };
}
