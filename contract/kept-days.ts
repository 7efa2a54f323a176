import type { GuestFields } from './field-types.ts';

/** Whether a new disk is good shows only in use. */
const LEAST = 1;

/** For how many days the disk of before a restore or a reinstall is kept: the guest's grace period, but a day at least. */
export function keptDays({ graceDays }: Pick<GuestFields['life'], 'graceDays'>): number {
  return Math.max(LEAST, graceDays);
}
