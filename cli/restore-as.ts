/** What `guestflow restore NAME --as NEW` does: orders a guest that is made from a backup of another one. */
import { defined } from '../contract/defined.ts';
import { GuestflowError } from '../contract/errors.ts';
import type { WantedBackup } from '../contract/chosen-backup.ts';
import { FIELDS, type Field } from '../contract/fields.ts';
import type { PlacingOptions } from './commands/provision.ts';
import { withGuestflow } from './context.ts';
import type { Io } from './io.ts';
import { place } from './provision.ts';

export interface RestoreAsOptions extends PlacingOptions, WantedBackup {
  readonly as: string;
  readonly order?: string;
  readonly ip?: string;
  readonly dom0?: string;
}

/** Before anything is connected, as with any order. */
function mustBe(field: keyof typeof FIELDS, text: string | undefined): void {
  const { value }: Field = FIELDS[field];
  const reason = text === undefined || value.is !== 'text' ? undefined : value.whyNot(text);
  if (reason !== undefined)
    throw new GuestflowError('InvalidInput', `${field} ${JSON.stringify(text)} ${reason}`, { field, ...defined({ value: text }) });
}

export async function restoreAs(
  io: Io,
  of: string,
  { as: name, order, ip, dom0, backup, at, ...options }: RestoreAsOptions,
): Promise<undefined> {
  mustBe('name', name);
  mustBe('order', order);
  mustBe('ip', ip);
  mustBe('dom0', dom0);
  return withGuestflow(options, async (flow) =>
    place(io, flow, await flow.orderOfCopy(of, { name, ...defined({ order, ip, dom0, backup, at }) }), options),
  );
}
