/** Root's access to a guest that exists, as a request to its workflow: a hash leaves this process in a box that only the guest's dom0 can open. */
import type { AccessChange, OperationRequest, Reinstall, RescueAccess } from '../../contract/guest-requests.ts';
import { defined } from '../../contract/defined.ts';
import { QUERIES, guestWorkflowId } from '../../contract/names.ts';
import type { Session } from '../session.ts';
import { query } from '../workflow-calls.ts';
import { sealPassword } from './sealed-password.ts';

/** What is to be set; a password by its hash. */
export interface AccessWish extends Omit<AccessChange, 'sealedPassword'> {
  /** crypt(5) hash of root's password. */
  readonly passwordHash?: string;
}

/** What a new system is to be; its password by its hash. */
export interface ReinstallWish extends Omit<Reinstall, 'sealedPassword'> {
  /** crypt(5) hash of root's password. */
  readonly passwordHash?: string;
}

/** Who is to log in to a rescue system; a password by its hash. */
export interface RescueWish extends Omit<RescueAccess, 'sealedPassword'> {
  /** crypt(5) hash of root's password there. */
  readonly passwordHash?: string;
}

/** A request in which a password is not sealed yet. */
export interface OperationWish extends Omit<OperationRequest, 'access' | 'reinstall' | 'rescue'> {
  readonly access?: AccessWish;
  readonly reinstall?: ReinstallWish;
  readonly rescue?: RescueWish;
}

/**
 * The request with its password sealed, in the name of the guest's order.
 *
 * @throws GuestflowError HostNotReady when the guest's dom0 has not said with which key; NotFound; Unreachable
 */
export async function sealedRequest(session: Session, guest: string, wish: OperationWish): Promise<OperationRequest> {
  const { access, reinstall, rescue, ...request } = wish;
  const hashes = [access, reinstall, rescue].map((part) => part?.passwordHash);
  if (hashes.every((hash) => hash === undefined)) return { ...request, ...defined({ access, reinstall, rescue }) };
  const { order, dom0 } = await session.call(`guest ${guest}`, () => query(session.client, guestWorkflowId(guest), QUERIES.status));
  return {
    ...request,
    ...(access === undefined ? {} : { access: await sealPassword(session, order, access, [dom0]) }),
    ...(reinstall === undefined ? {} : { reinstall: await sealPassword(session, order, reinstall, [dom0]) }),
    ...(rescue === undefined ? {} : { rescue: await sealPassword(session, order, rescue, [dom0]) }),
  };
}
