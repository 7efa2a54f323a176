/** The key that secrets for this dom0 (passwords, tokens of consoles) are sealed with. Its private half never leaves the dom0. */
import { createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject } from 'node:crypto';
import type { Dom0Settings } from '../../order/dom0-settings.ts';
import { GuestflowError } from '../../contract/errors.ts';
import { openBox, publicKeyText } from '../../system/sealed-box.ts';
import type { GuestSpec } from '../../contract/guest.ts';
import type { Host } from '../../system/host.ts';

type On = { readonly host: Pick<Host, 'files'>; readonly settings: Pick<Dom0Settings, 'stateDir' | 'host'> };

function pathOf({ settings }: On): string {
  return `${settings.stateDir}/password_key`;
}

async function privateKey(on: On): Promise<KeyObject | undefined> {
  const pem = await on.host.files.read(pathOf(on));
  return pem === undefined ? undefined : createPrivateKey(pem);
}

/** Makes the key pair (0600), unless it exists. */
export async function ensurePasswordKey(on: On): Promise<void> {
  if ((await privateKey(on)) !== undefined) return;
  await on.host.files.makeDirectory(on.settings.stateDir, 0o700);
  const pem = generateKeyPairSync('x25519').privateKey.export({ type: 'pkcs8', format: 'pem' });
  await on.host.files.writeAtomic(pathOf(on), pem);
}

/** The public key, as text; undefined if there is no key pair. */
export async function passwordPublicKey(on: On): Promise<string | undefined> {
  const key = await privateKey(on);
  return key === undefined ? undefined : publicKeyText(createPublicKey(key));
}

/** What was sealed for this dom0; undefined when it was for another key or another context. */
export async function openSealed(on: On, box: string, context: string): Promise<string | undefined> {
  const key = await privateKey(on);
  return key === undefined ? undefined : await openBox(box, key, context);
}

/**
 * A token by which a gateway knows a connection of this dom0's.
 *
 * @throws GuestflowError HostNotReady when it was sealed for another dom0, or for something else
 */
export async function openToken(on: On, box: string, context: string): Promise<string> {
  const token = await openSealed(on, box, context);
  if (token !== undefined) return token;
  throw new GuestflowError('HostNotReady', `the token of the connection was not sealed for dom0 ${on.settings.host}`, {
    field: 'passwordKey',
    mend: 'restart the worker of this dom0, so that it registers its key',
  });
}

/**
 * The crypt(5) hash of root's password in an order; undefined when it has none.
 *
 * @throws GuestflowError HostNotReady when it was sealed for another dom0, or for a key that this one no longer has
 */
export async function openPassword(on: On, spec: Pick<GuestSpec, 'order' | 'name' | 'access'>): Promise<string | undefined> {
  const { order, name } = spec;
  const { sealedPassword } = spec.access;
  if (sealedPassword === undefined) return undefined;
  const box = sealedPassword[on.settings.host];
  const opened = box === undefined ? undefined : await openSealed(on, box, order);
  if (opened !== undefined) return opened;
  const reason = box === undefined ? 'it was sealed for other dom0s' : 'it was sealed for a key that this dom0 does not have';
  throw new GuestflowError('HostNotReady', `the password of ${name} cannot be opened on dom0 ${on.settings.host}: ${reason}`, {
    field: 'sealedPassword',
    mend: 'restart the worker of this dom0, so that it registers its key; then give the order again, or leave the password out',
  });
}
