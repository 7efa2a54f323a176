/**
 * What the customer's page hands out and takes back: tickets, sessions and CSRF tokens. The gateway keeps none of them; it knows its own by its keys. Tickets
 * and sessions are sealed (AES-256-GCM), so that a link or a cookie tells nobody who the customer is.
 */
import { createCipheriv, createDecipheriv, createHmac, hkdfSync, randomBytes, timingSafeEqual } from 'node:crypto';

/** What something sealed is for: what is sealed for one use is of no other. */
export type Use = 'ticket' | 'session';

export interface PageKeys {
  /** Seals a text by the first key: base64url. */
  seal(use: Use, text: string): string;
  /** The text; undefined if it was sealed for another use, by none of the keys, or altered. */
  open(use: Use, sealed: string): string | undefined;
  /** A token that only these keys can make of a text, by the first one: base64url. */
  sign(use: string, text: string): string;
  /** Whether a token was made of the text by any of the keys. */
  isSigned(use: string, text: string, token: string): boolean;
}

const CIPHER = 'aes-256-gcm';
const [NONCE, TAG] = [12, 16];

/**
 * Keys made of secrets.
 *
 * @param secrets the first one seals and signs, all of them open and verify, so that one can be replaced without signing everybody out. At least one
 */
export function pageKeys(secrets: readonly string[]): PageKeys {
  const keyOf = (secret: string, use: string): Buffer => Buffer.from(hkdfSync('sha256', secret, 'guestflow customer page', use, 32));
  const [first = ''] = secrets;
  const signed = (secret: string, use: string, text: string): Buffer =>
    createHmac('sha256', keyOf(secret, `sign ${use}`))
      .update(text)
      .digest();
  return {
    seal: (use, text) => {
      const nonce = randomBytes(NONCE);
      const cipher = createCipheriv(CIPHER, keyOf(first, use), nonce, { authTagLength: TAG });
      return Buffer.concat([nonce, cipher.update(text, 'utf8'), cipher.final(), cipher.getAuthTag()]).toString('base64url');
    },
    open: (use, sealed) => {
      const bytes = Buffer.from(sealed, 'base64url');
      // One spelling only: base64url may hide bits in its last character.
      if (bytes.length <= NONCE + TAG || bytes.toString('base64url') !== sealed) return undefined;
      for (const secret of secrets) {
        const text = openBy(keyOf(secret, use), bytes);
        if (text !== undefined) return text;
      }
      return undefined;
    },
    sign: (use, text) => signed(first, use, text).toString('base64url'),
    isSigned: (use, text, token) => {
      const given = Buffer.from(token, 'base64url');
      return secrets.some((secret) => {
        const right = signed(secret, use, text);
        return right.length === given.length && timingSafeEqual(right, given);
      });
    },
  };
}

function openBy(key: Buffer, bytes: Buffer): string | undefined {
  try {
    const decipher = createDecipheriv(CIPHER, key, bytes.subarray(0, NONCE), { authTagLength: TAG });
    decipher.setAuthTag(bytes.subarray(-TAG));
    return Buffer.concat([decipher.update(bytes.subarray(NONCE, -TAG)), decipher.final()]).toString('utf8');
  } catch {
    return undefined;
  }
}
