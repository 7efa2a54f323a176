import { generateKeyPairSync } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { openBox, publicKeyText, sealBox } from '../../../system/sealed-box.ts';

const { publicKey, privateKey } = generateKeyPairSync('x25519');
const receiver = publicKeyText(publicKey);

describe('a sealed box', () => {
  it('opens for the key that it was sealed for, and gives the text', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), fc.string(), (text, context) => {
        expect(openBox(sealBox(text, receiver, context), privateKey, context)).toBe(Buffer.from(text).toString('utf8'));
      }),
      { numRuns: 50 },
    );
  });

  it('does not open for another key, in another context, or altered', () => {
    const box = sealBox('$6$salt$hash', receiver, 'order-1');
    expect(openBox(box, generateKeyPairSync('x25519').privateKey, 'order-1')).toBeUndefined();
    expect(openBox(box, privateKey, 'order-2')).toBeUndefined();
    const bytes = Buffer.from(box, 'base64url');
    for (let at = 0; at < bytes.length; at += 1) {
      const altered = Buffer.from(bytes);
      altered[at]! ^= 1;
      // X25519 ignores the top bit of a public key; the key derived from its text is another all the same.
      expect(openBox(altered.toString('base64url'), privateKey, 'order-1')).toBeUndefined();
    }
    for (const text of ['', 'x', box.slice(0, 40)]) expect(openBox(text, privateKey, 'order-1')).toBeUndefined();
  });

  it('is another one each time, and shows nothing of the text', () => {
    const [one, other] = [sealBox('same', receiver, ''), sealBox('same', receiver, '')];
    expect(one).not.toBe(other);
    expect(Buffer.from(one, 'base64url').includes('same')).toBe(false);
  });

  it('cannot be sealed for what is no key', () => {
    expect(() => sealBox('x', 'AAAA', '')).toThrow();
  });
});
