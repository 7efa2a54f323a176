/**
 * A box that only the holder of a private key can open: X25519 with a key pair made for this box, HKDF-SHA256, AES-256-GCM. What is in it is
 * bound to a context: a box cannot be moved into another order.
 */
import {
  createCipheriv,
  createDecipheriv,
  createPublicKey,
  diffieHellman,
  generateKeyPairSync,
  hkdfSync,
  randomBytes,
  type KeyObject,
} from 'node:crypto';

const CIPHER = 'aes-256-gcm';
const PUBLIC_BYTES = 32;
const NONCE_BYTES = 12;
const TAG_BYTES = 16;

/** A public key as text: base64url of its 32 bytes. */
export function publicKeyText(key: KeyObject): string {
  return key.export({ format: 'jwk' }).x ?? '';
}

function publicKey(text: string): KeyObject {
  return createPublicKey({ key: { kty: 'OKP', crv: 'X25519', x: text }, format: 'jwk' });
}

/** Both public keys go into the key: a box says for whom it is. */
function keyOf(own: KeyObject, other: KeyObject, sender: string, receiver: string): Buffer {
  const secret = diffieHellman({ privateKey: own, publicKey: other });
  return Buffer.from(hkdfSync('sha256', secret, Buffer.from(`${sender}.${receiver}`), 'guestflow sealed box 1', 32));
}

/**
 * Seals a text.
 *
 * @param receiver public key, as `publicKeyText` gives it
 * @param context must be the same when the box is opened
 * @returns base64url
 * @throws Error when `receiver` is no key
 */
export function sealBox(text: string, receiver: string, context: string): string {
  const own = generateKeyPairSync('x25519');
  const sender = publicKeyText(own.publicKey);
  const nonce = randomBytes(NONCE_BYTES);
  const key = keyOf(own.privateKey, publicKey(receiver), sender, receiver);
  const cipher = createCipheriv(CIPHER, key, nonce, { authTagLength: TAG_BYTES }).setAAD(Buffer.from(context));
  const sealed = [cipher.update(text, 'utf8'), cipher.final(), cipher.getAuthTag()];
  return Buffer.concat([Buffer.from(sender, 'base64url'), nonce, ...sealed]).toString('base64url');
}

/** The text in a box; undefined when it is for another key or another context, or was altered. */
export function openBox(box: string, own: KeyObject, context: string): string | undefined {
  try {
    const bytes = Buffer.from(box, 'base64url');
    const sender = bytes.subarray(0, PUBLIC_BYTES).toString('base64url');
    const nonce = bytes.subarray(PUBLIC_BYTES, PUBLIC_BYTES + NONCE_BYTES);
    const key = keyOf(own, publicKey(sender), sender, publicKeyText(createPublicKey(own)));
    const decipher = createDecipheriv(CIPHER, key, nonce, { authTagLength: TAG_BYTES }).setAAD(Buffer.from(context));
    decipher.setAuthTag(bytes.subarray(-TAG_BYTES));
    return Buffer.concat([decipher.update(bytes.subarray(PUBLIC_BYTES + NONCE_BYTES, -TAG_BYTES)), decipher.final()]).toString('utf8');
  } catch {
    return undefined;
  }
}
