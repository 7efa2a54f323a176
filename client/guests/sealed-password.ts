/** Hashes of passwords leave the client sealed for the dom0 that needs them: Temporal, its database and its readers see a box that is closed. */
import type { Session } from '../session.ts';
import { GuestflowError } from '../../contract/errors.ts';
import { sealBox } from '../../system/sealed-box.ts';
import { readDom0 } from '../dom0s/ledger.ts';
import { listDom0s } from '../dom0s/names.ts';

/** What carries a password. */
interface WithPassword {
  readonly passwordHash?: string;
  readonly sealedPassword?: Readonly<Record<string, string>>;
}

/**
 * The same, with its hash sealed for these dom0s.
 *
 * @param order id of the order: the box opens for no other
 * @param dom0s where the guest may be made. Default: all that have registered
 * @throws GuestflowError HostNotReady when none of them has said with which key; Unreachable
 */
export async function sealPassword<T extends WithPassword>(
  session: Session,
  order: string,
  from: T,
  dom0s?: readonly string[],
): Promise<Omit<T, 'passwordHash'>> {
  const { passwordHash, ...rest } = from;
  if (passwordHash === undefined) return rest;
  const hosts = dom0s ?? (await listDom0s(session));
  const boxes = await Promise.all(
    hosts.map(async (host): Promise<readonly [string, string] | undefined> => {
      const key = await passwordKeyOf(session, host);
      return key === undefined ? undefined : [host, await sealBox(passwordHash, key, order)];
    }),
  );
  const sealed = boxes.filter((box) => box !== undefined);
  if (sealed.length === 0) throw noKey(hosts);
  return { ...rest, sealedPassword: Object.fromEntries(sealed) };
}

/** The key that secrets for a dom0 are sealed with; undefined when it has not registered one. */
export async function passwordKeyOf(session: Session, host: string): Promise<string | undefined> {
  try {
    return (await readDom0(session, host)).facts?.passwordKey;
  } catch (error) {
    if (error instanceof GuestflowError && error.type === 'NotFound') return undefined;
    throw error;
  }
}

function noKey(hosts: readonly string[]): GuestflowError {
  const who = hosts.length === 0 ? 'no dom0 has registered' : `${hosts.join(', ')} has not said with which key`;
  return new GuestflowError('HostNotReady', `a password is sealed for its dom0 before it leaves this process, and ${who}`, {
    field: 'password',
    mend: 'start the worker of the dom0 (systemctl start guestflow-dom0), in this version; it registers its key. Or leave the password out',
  });
}
