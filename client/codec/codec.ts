/**
 * The payload codec: AES-256-GCM over whole payloads, in the form of Temporal's own examples (`binary/encrypted`, `encryption-key-id`,
 * 12 bytes of nonce, ciphertext, 16 bytes of tag). It works between the SDK and the wire, outside the workflows' sandbox.
 */
import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';
import type { Payload, PayloadCodec } from '@temporalio/common';
import protobuf from 'protobufjs/light.js';
import { GuestflowError } from '../../contract/errors.ts';
import { CODEC_KEY_VARIABLE, type CodecKey } from './keys.ts';

const ENCRYPTED = 'binary/encrypted';
const CIPHER = 'aes-256-gcm';
const NONCE_BYTES = 12;
const TAG_BYTES = 16;

/** temporal.api.common.v1.Payload: what is encrypted is its wire form. */
const payloadType = new protobuf.Type('Payload')
  .add(new protobuf.MapField('metadata', 1, 'string', 'bytes'))
  .add(new protobuf.Field('data', 2, 'bytes'));

/**
 * A codec.
 *
 * @param keys the first one encrypts, any of them decrypts. Without keys, payloads are not encrypted, and encrypted ones are refused with an error.
 */
export function createPayloadCodec(keys: readonly CodecKey[]): PayloadCodec {
  const [first] = keys;
  return {
    encode: (payloads) => Promise.resolve(first === undefined ? payloads : payloads.map((payload) => encrypt(payload, first))),
    // Payloads from before a key was set stay readable, so that workflows that began then can go on.
    decode: async (payloads) => Promise.resolve(payloads.map((payload) => (isEncrypted(payload) ? decrypt(payload, keys) : payload))),
  };
}

export function isEncrypted({ metadata }: Payload): boolean {
  return textOf(metadata?.['encoding']) === ENCRYPTED;
}

function encrypt(payload: Payload, { id, secret }: CodecKey): Payload {
  const nonce = randomBytes(NONCE_BYTES);
  const cipher = createCipheriv(CIPHER, secret, nonce, { authTagLength: TAG_BYTES });
  const plain = payloadType
    .encode(payloadType.create({ metadata: payload.metadata ?? {}, data: payload.data ?? new Uint8Array() }))
    .finish();
  return {
    metadata: { encoding: Buffer.from(ENCRYPTED), 'encryption-key-id': Buffer.from(id) },
    data: Buffer.concat([nonce, cipher.update(plain), cipher.final(), cipher.getAuthTag()]),
  };
}

function decrypt({ metadata, data }: Payload, keys: readonly CodecKey[]): Payload {
  const id = textOf(metadata?.['encryption-key-id']);
  const key = keys.find((known) => known.id === id);
  if (key === undefined) throw unknownKey(id, keys);
  const sealed = Buffer.from(data ?? []);
  try {
    if (sealed.length < NONCE_BYTES + TAG_BYTES) throw new Error('too short');
    const decipher = createDecipheriv(CIPHER, key.secret, sealed.subarray(0, NONCE_BYTES), { authTagLength: TAG_BYTES });
    decipher.setAuthTag(sealed.subarray(-TAG_BYTES));
    const plain = Buffer.concat([decipher.update(sealed.subarray(NONCE_BYTES, -TAG_BYTES)), decipher.final()]);
    const { metadata: inner, data: bytes } = payloadType.decode(plain) as Payload;
    return { metadata: inner ?? {}, data: bytes ?? new Uint8Array() };
  } catch {
    throw new GuestflowError('InvalidInput', `a payload that names codec key ${id} was altered, or cut short: it cannot be decrypted`, {
      field: 'codecKeyFile',
    });
  }
}

function unknownKey(id: string, keys: readonly CodecKey[]): GuestflowError {
  const known = keys.length === 0 ? 'this process has no codec key' : `this process has ${keys.map((key) => key.id).join(', ')}`;
  return new GuestflowError('InvalidInput', `a payload is encrypted with codec key ${printable(id)}, and ${known}`, {
    field: 'codecKeyFile',
    value: printable(id),
    mend: `give this process the file of codec keys that the others have: ${CODEC_KEY_VARIABLE}, the systemd credential codec-keys, or codecKeyFile in dom0.yaml`,
  });
}

/** A key id as safe text: whoever writes to Temporal chooses the id of a payload. */
function printable(id: string): string {
  return /^[\x21-\x7e]{1,100}$/.test(id) ? id : 'of an unprintable name';
}

function textOf(bytes: Uint8Array | null | undefined): string {
  return bytes === null || bytes === undefined ? '' : Buffer.from(bytes).toString('utf8');
}
