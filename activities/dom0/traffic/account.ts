/**
 * The account of a guest's traffic: what was counted of it, by month, and how its vifs' counters stood then. Pure.
 *
 * Counters are a domain's: they begin at zero with each domain, and when a guest's driver connects anew. An account never counts a byte twice: whoever
 * adds to an older copy of it counts from that copy's counters. What a domain sent after it was last looked at ends with the domain, uncounted.
 */
import { z } from 'zod';
import type { MonthTraffic, Traffic } from '../../../contract/usage.ts';
import type { Ref } from '../marks.ts';

/** Months that are kept: this one, and the twelve before. */
export const KEPT_MONTHS = 13;

const bytes = z.number().int().min(0);
const trafficSchema = z.object({ inBytes: bytes, outBytes: bytes });
const accountSchema = z.object({
  guest: z.string(),
  order: z.string(),
  since: z.iso.datetime(),
  domain: z.string(),
  counters: z.record(z.string(), trafficSchema),
  total: trafficSchema,
  months: z.array(trafficSchema.extend({ month: z.string().regex(/^\d{4}-\d\d$/) })),
});

/** The counters of a domain's vifs, by the number of the vif. */
export type Counters = Readonly<Record<string, Traffic>>;

export interface Account {
  readonly guest: string;
  readonly order: string;
  /** When it was begun (ISO 8601). */
  readonly since: string;
  /** Which domain was looked at last. */
  readonly domain: string;
  /** How its counters stood. */
  readonly counters: Counters;
  /** All that was counted since then; it only grows. */
  readonly total: Traffic;
  /** In the order of their months, none twice. */
  readonly months: readonly MonthTraffic[];
}

/** The counters of a guest's domain, as they were seen. */
export interface Reading {
  /** Tells the domain from every other one of this dom0, also of those before its last boot. */
  readonly domain: string;
  readonly counters: Counters;
  readonly at: Date;
}

const NOTHING: Traffic = { inBytes: 0, outBytes: 0 };

/** An account that counts from here on: how long the domain had run before, and who sent what, nobody knows. */
export function beginAccount({ name, order }: Ref, { domain, counters, at }: Reading): Account {
  return { guest: name, order, since: at.toISOString(), domain, counters, total: NOTHING, months: [] };
}

/** The account with what the counters have gone on by. */
export function addReading(account: Account, { domain, counters, at }: Reading): Account {
  // A vif that was not seen this time keeps its place: should it be seen again, it goes on from there.
  const before = account.domain === domain ? account.counters : {};
  const moved = Object.entries(counters).reduce((sum, [vif, now]) => plus(sum, movedBy(before[vif], now)), NOTHING);
  const isIdle = moved.inBytes === 0 && moved.outBytes === 0;
  return {
    ...account,
    domain,
    counters: { ...before, ...counters },
    total: plus(account.total, moved),
    months: isIdle ? account.months : withMonth(account.months, { month: monthOf(at), ...moved }),
  };
}

/** What is told of the months: the newest first, and none that has not begun, which a wrong clock may have made. */
export function monthsUntil({ months }: Account, at: Date): MonthTraffic[] {
  return months.filter(({ month }) => month <= monthOf(at)).toReversed();
}

/** The account in a file; undefined when it is none, or of another guest or order. */
export function readAccount(text: Uint8Array | undefined, { name, order }: Ref): Account | undefined {
  if (text === undefined) return undefined;
  try {
    const account = accountSchema.parse(JSON.parse(Buffer.from(text).toString('utf8')));
    return account.guest === name && account.order === order ? account : undefined;
  } catch {
    // Nobody but guestflow writes it, whole: what is not whole here is begun anew.
    return undefined;
  }
}

/**
 * Whether an account has been to counters that began at zero since. Should they pass their former stand before such an account is kept, they would seem
 * to have gone on from it.
 */
export function hasBegunAnew(former: Account, { domain, counters }: Account): boolean {
  return former.domain !== domain || Object.entries(counters).some(([vif, now]) => beganAnew(former.counters[vif], now));
}

/** A counter that stands lower than before has begun anew, and with it the other one of its vif. */
function beganAnew(before: Traffic | undefined, now: Traffic): boolean {
  return before === undefined || now.inBytes < before.inBytes || now.outBytes < before.outBytes;
}

function movedBy(before: Traffic | undefined, now: Traffic): Traffic {
  if (before === undefined || beganAnew(before, now)) return now;
  return { inBytes: now.inBytes - before.inBytes, outBytes: now.outBytes - before.outBytes };
}

function plus(one: Traffic, other: Traffic): Traffic {
  return { inBytes: one.inBytes + other.inBytes, outBytes: one.outBytes + other.outBytes };
}

function monthOf(at: Date): string {
  return at.toISOString().slice(0, 7);
}

function withMonth(months: readonly MonthTraffic[], added: MonthTraffic): MonthTraffic[] {
  const former = months.find(({ month }) => month === added.month);
  const others = months.filter(({ month }) => month !== added.month);
  return [...others, { month: added.month, ...plus(former ?? NOTHING, added) }]
    .sort((a, b) => (a.month < b.month ? -1 : 1))
    .slice(-KEPT_MONTHS);
}
