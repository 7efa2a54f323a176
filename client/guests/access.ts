/** Root's access to a guest that exists, as a request to its workflow: a hash leaves this process in a box that only the guest's dom0 can open. */
import type { AccessChange, OperationRequest } from '../../contract/guest.ts';
import { QUERIES, guestWorkflowId } from '../../contract/names.ts';
import type { Session } from '../session.ts';
import { query } from '../workflow-calls.ts';
import { sealPassword } from './sealed-password.ts';

/** What is to be set; a password by its hash. */
export interface AccessWish extends Omit<AccessChange, 'sealedPassword'> {
  /** crypt(5) hash of root's password. */
  readonly passwordHash?: string;
}

/** A request in which a password is not sealed yet. */
export interface OperationWish extends Omit<OperationRequest, 'access'> {
  readonly access?: AccessWish;
}

/**
 * The request with its password sealed, in the name of the guest's order.
 *
 * @throws GuestflowError HostNotReady when the guest's dom0 has not said with which key; NotFound; Unreachable
 */
export async function sealedRequest(session: Session, guest: string, wish: OperationWish): Promise<OperationRequest> {
  const { access, ...request } = wish;
  if (access === undefined) return request;
  if (access.passwordHash === undefined) return { ...request, access };
  const { order, dom0 } = await session.call(`guest ${guest}`, () => query(session.client, guestWorkflowId(guest), QUERIES.status));
  return { ...request, access: await sealPassword(session, order, access, [dom0]) };
}
