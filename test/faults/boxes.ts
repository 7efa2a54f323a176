/**
 * Sealed passwords of cases. A box opens only for the order that it was sealed for, and what is recorded of one guest is played for many: records hold a
 * word in its place, and each call gets a box of its own.
 */
import { createPrivateKey, createPublicKey, generateKeyPairSync } from 'node:crypto';
import { changed } from '../an-order.ts';
import { publicKeyText, sealBox } from '../../system/sealed-box.ts';
import type { GuestSpec } from '../../contract/guest.ts';

/** Where a worker keeps the key. */
export const KEY_FILE = '/var/lib/guestflow/password_key';

/** Stands for a box. */
export const BOX = 'B'.repeat(80);

const HASH = `$6$salt$${'x'.repeat(86)}`;
const PEM = generateKeyPairSync('x25519').privateKey.export({ type: 'pkcs8', format: 'pem' });

export function newKey(): string {
  return String(PEM);
}

/** The input with a box where it has the word, for the key of this dom0. */
export async function withBoxes(input: unknown, pem: string): Promise<unknown> {
  const { spec } = (input ?? {}) as { spec?: GuestSpec };
  const dom0 = spec?.dom0 ?? '';
  if (spec?.access.sealedPassword?.[dom0] !== BOX) return input;
  const box = await sealBox(HASH, publicKeyText(createPublicKey(createPrivateKey(pem))), spec.order);
  return { ...(input as object), spec: changed(spec, { access: { sealedPassword: { [dom0]: box } } }) };
}
