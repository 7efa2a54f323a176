/** What a guest has used, as its dom0 has counted it. */
import type { GuestStatus } from '../../contract/guest.ts';
import type { GuestUsage } from '../../contract/usage.ts';
import { runDom0Task } from '../dom0s/tasks.ts';
import type { Session } from '../session.ts';

/**
 * Asks the dom0 of a guest.
 *
 * @throws GuestflowError Unreachable when no worker serves its dom0
 */
export async function readUsage(
  session: Session,
  { name, order, dom0 }: Pick<GuestStatus, 'name' | 'order' | 'dom0'>,
): Promise<GuestUsage> {
  return await runDom0Task<GuestUsage>(session, dom0, 'usage', { guest: { name, order, dom0 } });
}
