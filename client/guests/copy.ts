/** The order of a guest that is made from a backup of another one. */
import { chosenBackup, type WantedBackup } from '../../contract/chosen-backup.ts';
import { defined } from '../../contract/defined.ts';
import { GuestflowError } from '../../contract/errors.ts';
import type { GuestOrder } from '../../contract/guest.ts';
import type { Session } from '../session.ts';
import { readStatus } from './look.ts';

/** What the copy is to be, and of which backup. What is left open is as the first guest has it; of the network, it is chosen. */
export interface CopyWish extends WantedBackup {
  readonly name: string;
  /** Default: `manual-NAME`. */
  readonly order?: string;
  readonly ip?: string;
}

/**
 * The order of a copy: on the first guest's dom0, where its backups are, of its plan and size as it is now. It has no password of its own: those on the disk
 * stay.
 *
 * @throws NotFound when there is no such guest or backup; Busy when the guest was not made
 */
export async function orderOfCopy(
  session: Session,
  of: string,
  { name, order = `manual-${name}`, ip, ...wanted }: CopyWish,
): Promise<GuestOrder> {
  const { spec, backups } = await readStatus(session, of);
  if (spec === undefined) throw new GuestflowError('Busy', `${of} was not provisioned: it has no backup`);
  const chosen = chosenBackup(backups, wanted);
  if ('whyNone' in chosen) throw new GuestflowError('NotFound', chosen.whyNone, { field: chosen.field });
  const { hostname: _its, network: _of, access, ...rest } = spec;
  const { sealedPassword: _box, ...open } = access;
  const origin = { guest: spec.name, order: spec.order, backup: chosen.found.id };
  return { ...rest, name, order, origin, access: open, network: defined({ ip }) };
}
