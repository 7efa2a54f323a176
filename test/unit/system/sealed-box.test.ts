import { generateKeyPairSync } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { openBox, publicKeyText, sealBox, SUITE } from '../../../system/sealed-box.ts';

const { publicKey, privateKey } = generateKeyPairSync('x25519');
const receiver = publicKeyText(publicKey);

/** Of the vectors of RFC 9180 (test-vectors.json of the CFRG's repository): base mode, kem 32, kdf 1, aead 2, its first message. */
const VECTOR = {
  info: '4f6465206f6e2061204772656369616e2055726e',
  skRm: '497b4502664cfea5d5af0b39934dac72242a74f8480451e1aee7d6a53320333d',
  pkRm: '430f4b9859665145a6b1ba274024487bd66f03a2dd577d7753c68d7d7d00c00c',
  enc: '6c93e09869df3402d7bf231bf540fadd35cd56be14f97178f0954db94b7fc256',
  aad: '436f756e742d30',
  ct: 'e5d84cd531cfb583096e7cfa9641bd3079cf3a91cda813c52deb5f512be9931980a41de125a925cdad859d5b7a',
  pt: '4265617574792069732074727574682c20747275746820626561757479',
} as const;

const bytes = (name: keyof typeof VECTOR): Buffer => Buffer.from(VECTOR[name], 'hex');

describe('a sealed box', () => {
  it('is what RFC 9180 says: its test vector opens, with the private key whose public key the vector names', async () => {
    const [privateKey, publicKey] = [await SUITE.DeserializePrivateKey(bytes('skRm')), await SUITE.DeserializePublicKey(bytes('pkRm'))];
    const key = { privateKey, publicKey };
    const opened = await SUITE.Open(key, bytes('enc'), bytes('ct'), { aad: bytes('aad'), info: bytes('info') });
    expect(Buffer.from(opened).toString('hex')).toBe(VECTOR.pt);
    const sealed = await SUITE.Seal(publicKey, bytes('pt'), {
      aad: bytes('aad'),
      info: bytes('info'),
    });
    const again = await SUITE.Open(key, sealed.encapsulatedSecret, sealed.ciphertext, { aad: bytes('aad'), info: bytes('info') });
    expect(Buffer.from(again).toString('hex')).toBe(VECTOR.pt);
  });

  it('opens for the key that it was sealed for, and gives the text', async () => {
    await fc.assert(
      fc.asyncProperty(fc.string({ unit: 'grapheme' }), fc.string(), async (text, context) => {
        expect(await openBox(await sealBox(text, receiver, context), privateKey, context)).toBe(Buffer.from(text).toString('utf8'));
      }),
      { numRuns: 50 },
    );
  });

  it('does not open for another key, in another context, or altered', async () => {
    const box = await sealBox('$6$salt$hash', receiver, 'order-1');
    expect(await openBox(box, generateKeyPairSync('x25519').privateKey, 'order-1')).toBeUndefined();
    expect(await openBox(box, privateKey, 'order-2')).toBeUndefined();
    const whole = Buffer.from(box, 'base64url');
    for (let at = 0; at < whole.length; at += 1) {
      const altered = Buffer.from(whole);
      altered[at]! ^= 1;
      expect(await openBox(altered.toString('base64url'), privateKey, 'order-1')).toBeUndefined();
    }
    // X25519 ignores the top bit of a public key; the key that is derived from both is another all the same.
    const topBit = Buffer.from(whole);
    topBit[31]! ^= 0x80;
    expect(await openBox(topBit.toString('base64url'), privateKey, 'order-1')).toBeUndefined();
    for (const text of ['', 'x', box.slice(0, 40)]) expect(await openBox(text, privateKey, 'order-1')).toBeUndefined();
  });

  it('is another one each time, and shows nothing of the text', async () => {
    const [one, other] = [await sealBox('same', receiver, ''), await sealBox('same', receiver, '')];
    expect(one).not.toBe(other);
    expect(Buffer.from(one, 'base64url').includes('same')).toBe(false);
  });

  it.each(['AAAA', '', Buffer.alloc(32).toString('base64url')])('cannot be sealed for %j, which is no key', async (key) => {
    await expect(sealBox('x', key, '')).rejects.toThrow();
  });
});
