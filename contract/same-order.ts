/** When two orders are the same one. Free of Node: workflows use it, too. */
import { canonical } from './canonical.ts';
import type { GuestOrder } from './guest.ts';

/**
 * All that an order asks for, as a text. Of a password only that there is one: sealed twice, or hashed twice, the same one looks different.
 */
export function contentOf({ access: { passwordHash, sealedPassword, ...access }, ...order }: GuestOrder): string {
  return canonical({ ...order, access, hasPassword: passwordHash !== undefined || sealedPassword !== undefined });
}

/** Whether an order that was sent again is the one that was given. An address that it left open may have been chosen meanwhile. */
export function isSameOrder(given: GuestOrder, again: GuestOrder): boolean {
  const { ip: _chosen, ...askedFor } = given.network;
  return contentOf(again) === contentOf(again.network.ip === undefined ? { ...given, network: askedFor } : given);
}
