/** The order of a guest that is made from a backup of another one. */
import { chosenBackup, type WantedBackup } from '../../contract/chosen-backup.ts';
import { defined } from '../../contract/defined.ts';
import { GuestflowError } from '../../contract/errors.ts';
import type { GuestOrder, GuestOrigin, GuestSpec } from '../../contract/guest.ts';
import type { ForeignBackup } from '../../contract/step-results.ts';
import { runDom0Task } from '../dom0s/tasks.ts';
import type { Session } from '../session.ts';
import { findStatus, readStatus } from './look.ts';

/** What the copy is to be, and of which backup. What is left open is as the first guest has it; of the network, it is chosen. */
export interface CopyWish extends WantedBackup {
  readonly name: string;
  /** Default: `manual-NAME`. */
  readonly order?: string;
  readonly ip?: string;
  /** Where it is made. Default: where the first guest is, and its backups are. */
  readonly dom0?: string;
}

/** A backup, and what was ordered of the guest that it is of. */
interface Model {
  readonly spec: GuestSpec;
  readonly origin: GuestOrigin;
}

/**
 * The order of a copy, of the first guest's plan and size: on that one's dom0 as it is now; on another one as it was when the backup was taken. It has no
 * password of its own: those on the disk stay.
 *
 * @throws NotFound when there is no such guest or backup; Busy when the guest was not made; HostNotReady when another dom0 has no directory of backups
 */
export async function orderOfCopy(
  session: Session,
  of: string,
  { name, order = `manual-${name}`, ip, dom0, ...wanted }: CopyWish,
): Promise<GuestOrder> {
  const { spec, origin } = await modelOf(session, of, dom0, wanted);
  const { hostname: _its, network: _of, access, origin: _former, ...rest } = spec;
  const { sealedPassword: _box, ...open } = access;
  return { ...rest, name, order, ...defined({ dom0 }), origin, access: open, network: defined({ ip }) };
}

async function modelOf(session: Session, of: string, dom0: string | undefined, wanted: WantedBackup): Promise<Model> {
  if (dom0 === undefined) return modelHere(session, of, wanted);
  const known = await findStatus(session, of);
  return known?.dom0 === dom0
    ? modelHere(session, of, wanted)
    : modelElsewhere(session, of, dom0, { ...wanted, ...defined({ order: known?.order }) });
}

/** Of a guest that lives, with its backups beside it. */
async function modelHere(session: Session, of: string, wanted: WantedBackup): Promise<Model> {
  const { spec, backups } = await readStatus(session, of);
  if (spec === undefined) throw new GuestflowError('Busy', `${of} was not provisioned: it has no backup`);
  const chosen = chosenBackup(backups, wanted);
  if ('whyNone' in chosen) throw new GuestflowError('NotFound', chosen.whyNone, { field: chosen.field });
  return { spec, origin: { guest: spec.name, order: spec.order, backup: chosen.found.id } };
}

/** Of a guest of another dom0, whether or not that one or Temporal knows it any more: what the directories of backups on this dom0 say. */
async function modelElsewhere(
  session: Session,
  of: string,
  dom0: string,
  wanted: WantedBackup & { readonly order?: string },
): Promise<Model> {
  const {
    spec,
    order,
    record,
    dom0: takenBy,
  } = await runDom0Task<ForeignBackup>(session, dom0, 'foreign', {
    foreign: { name: of, ...wanted },
  });
  return { spec, origin: { guest: of, order, backup: record.id, dom0: takenBy } };
}
