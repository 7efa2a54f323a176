/** What a control worker needs for the activities of billing. */
import type { BillingDependencies } from './billing.ts';
import type { Endpoint } from '../../../client/config.ts';
import { openSession } from '../../../client/session.ts';
import { createDesk } from './desk.ts';
import { createMessenger } from '../notify/messenger.ts';
import { loadReceiver } from '../notify/receiver.ts';

export interface BillingDesk extends BillingDependencies {
  close(): Promise<void>;
}

/**
 * Opens a desk. Who is told of guests stands in the file that `GUESTFLOW_NOTIFY` names; without one, nobody is.
 *
 * @throws GuestflowError Unreachable; InvalidInput when that file is not good
 */
export async function openBilling(endpoint: Endpoint, env: NodeJS.ProcessEnv = process.env): Promise<BillingDesk> {
  const file = env['GUESTFLOW_NOTIFY'] ?? '';
  const messenger = file === '' ? undefined : createMessenger(await loadReceiver(file, env));
  const session = await openSession(endpoint);
  return { desk: createDesk(session), messenger, close: () => session.close() };
}
