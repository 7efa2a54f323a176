/** What the operations on a guest have in common. */
import { defined } from '../../../contract/defined.ts';
import type { GuestRef, GuestSpec } from '../../../contract/guest.ts';

export function refOf(spec: GuestSpec): GuestRef {
  return { name: spec.name, order: spec.order, dom0: spec.dom0 };
}

/** What the Schedule of a guest's nightly backup is made from. */
export function nightlyOf(spec: GuestSpec): { ref: GuestRef; at?: string } {
  return { ref: refOf(spec), ...defined({ at: spec.backup.backupAt }) };
}

/** How a guest was before an operation: what its undo brings back. */
export interface Before {
  readonly isRunning: boolean;
  /** It starts with its dom0. */
  readonly isAutostarted: boolean;
}

/** Of a guest that is off: what was started is ended by an undo. */
export const OFF: Before = { isRunning: false, isAutostarted: false };

export const DAY_MS = 86_400_000;

/** The time in so many days, as ISO 8601. */
export function daysFromNow(days: number): string {
  return new Date(Date.now() + days * DAY_MS).toISOString();
}
