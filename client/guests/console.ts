/** Asks a guest's dom0 to connect its console to the gateway of its settings. */
import { consoleContext } from '../../contract/console.ts';
import { GuestflowError } from '../../contract/errors.ts';
import { runDom0Task } from '../dom0s/tasks.ts';
import type { Session } from '../session.ts';
import { readStatus } from './look.ts';
import { sealToken } from './sealed-token.ts';

/**
 * Returns when the console is connected. The token leaves this process sealed: a history keeps what is asked of a dom0.
 *
 * @param id of the console
 * @param token by which the gateway knows the dom0's connection, once
 * @throws GuestflowError Busy when the guest does not run, or its console is in use; HostNotReady; NotFound; Unreachable
 */
export async function openConsole(
  session: Session,
  name: string,
  { id, token }: { readonly id: string; readonly token: string },
): Promise<void> {
  const { phase, order, dom0 } = await readStatus(session, name);
  if (phase !== 'running' && phase !== 'rescue')
    throw new GuestflowError('Busy', `guest ${name} does not run: it is ${phase}`, { field: 'phase' });
  const box = await sealToken(session, dom0, token, consoleContext(id, name));
  await runDom0Task(session, dom0, 'console', { guest: { name, order, dom0 }, console: { id, token: box } });
}
