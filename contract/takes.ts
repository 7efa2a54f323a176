/** What a guest takes from its dom0, as ledgers count it. */
import type { Amounts } from './capacity.ts';
import { amountsOf } from './overhead.ts';
import type { GuestOrder } from './guest.ts';
import { defined } from './defined.ts';

/** Amounts, and what a reservation keeps beside them. */
export type Takes = Amounts & { readonly plan: string; readonly customer?: string };

/** Key of `Takes` in the memo of a guest's workflow: whoever lists guests sees what they take without asking each. */
export const TAKES_MEMO = 'takes';

/** What an order or a guest takes. Its swap counts as disk. */
export function takenBy(guest: Pick<GuestOrder, 'size' | 'os' | 'plan' | 'customer'>): Takes {
  const { plan, customer } = guest;
  return { ...amountsOf(guest), plan, ...defined({ customer }) };
}
