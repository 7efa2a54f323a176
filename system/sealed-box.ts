/**
 * A box that only the holder of a private key can open: HPKE (RFC 9180) in base mode, with X25519, HKDF-SHA256 and AES-256-GCM. What is in it is
 * bound to a context: a box cannot be moved into another order.
 */
import type { KeyObject, webcrypto } from 'node:crypto';
import { AEAD_AES_256_GCM, CipherSuite, KDF_HKDF_SHA256, KEM_DHKEM_X25519_HKDF_SHA256, type KeyPair } from 'hpke';

/** The suite; its test holds it against the vectors of the RFC. */
export const SUITE = new CipherSuite(KEM_DHKEM_X25519_HKDF_SHA256, KDF_HKDF_SHA256, AEAD_AES_256_GCM);
const INFO = Buffer.from('guestflow sealed box');
/** Bytes of the key that the sender makes for one box; it stands before what is sealed. */
const ENCAPSULATED_BYTES = 32;

/** A public key as text: base64url of its 32 bytes. */
export function publicKeyText(key: KeyObject): string {
  return key.export({ format: 'jwk' }).x ?? '';
}

/**
 * Seals a text.
 *
 * @param receiver public key, as `publicKeyText` gives it
 * @param context must be the same when the box is opened
 * @returns base64url
 * @throws Error when `receiver` is no key
 */
export async function sealBox(text: string, receiver: string, context: string): Promise<string> {
  const key = await SUITE.DeserializePublicKey(Buffer.from(receiver, 'base64url'));
  const sealed = await SUITE.Seal(key, Buffer.from(text), { aad: Buffer.from(context), info: INFO });
  return Buffer.concat([sealed.encapsulatedSecret, sealed.ciphertext]).toString('base64url');
}

/** Both halves: from the private one alone, WebCrypto cannot derive the public one that HPKE needs without a warning (Node 24). */
async function keyPair(own: KeyObject): Promise<KeyPair<webcrypto.CryptoKey>> {
  const { d = '', x = '' } = own.export({ format: 'jwk' });
  const [privateKey, publicKey] = await Promise.all([
    SUITE.DeserializePrivateKey(Buffer.from(d, 'base64url')),
    SUITE.DeserializePublicKey(Buffer.from(x, 'base64url')),
  ]);
  return { privateKey, publicKey };
}

/** The text in a box; undefined when it is for another key or another context, or was altered. */
export async function openBox(box: string, own: KeyObject, context: string): Promise<string | undefined> {
  const bytes = Buffer.from(box, 'base64url');
  const [encapsulated, sealed] = [bytes.subarray(0, ENCAPSULATED_BYTES), bytes.subarray(ENCAPSULATED_BYTES)];
  try {
    const pair = await keyPair(own);
    return Buffer.from(await SUITE.Open(pair, encapsulated, sealed, { aad: Buffer.from(context), info: INFO })).toString('utf8');
  } catch {
    return undefined;
  }
}
