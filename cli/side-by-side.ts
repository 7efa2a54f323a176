/** What `--json` prints of a guest: its fields side by side, under the names that scripts know, in whatever groups they are kept. */
import type { GuestFields } from '../contract/field-types.ts';
import type { GuestStatus } from '../contract/guest.ts';
import type { UnplacedOrder } from '../order/order.ts';
import { defined } from '../contract/defined.ts';

type Document = Readonly<Record<string, unknown>>;

function sideBySide({ size, os, access, storage, backup, life, ...rest }: Omit<GuestFields, 'network' | 'dom0'>): Document {
  return { ...rest, ...size, ...os, ...access, ...storage, ...backup, ...life };
}

/** An order. */
export function orderDocument({ network, ...order }: UnplacedOrder): Document {
  return { ...sideBySide(order), ...network };
}

/** A guest's status. */
export function statusDocument({ spec, ...status }: GuestStatus): Document {
  return { ...status, ...defined({ spec: spec === undefined ? undefined : sideBySide(spec) }) };
}
