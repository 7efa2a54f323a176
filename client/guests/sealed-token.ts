/** Tokens by which a gateway knows a dom0's connection leave this process sealed for that dom0: a history keeps what is asked of it. */
import { GuestflowError } from '../../contract/errors.ts';
import { sealBox } from '../../system/sealed-box.ts';
import type { Session } from '../session.ts';
import { passwordKeyOf } from './sealed-password.ts';

/**
 * Seals a token.
 *
 * @param context what it is for: the box opens for nothing else
 * @throws GuestflowError HostNotReady when the dom0 has registered no key; Unreachable
 */
export async function sealToken(session: Session, dom0: string, token: string, context: string): Promise<string> {
  const key = await passwordKeyOf(session, dom0);
  if (key !== undefined) return await sealBox(token, key, context);
  throw new GuestflowError('HostNotReady', `dom0 ${dom0} has not said with which key secrets for it are sealed`, {
    mend: 'start the worker of the dom0 (systemctl start guestflow-dom0), in this version; it registers its key',
  });
}
