import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { randomBytes } from 'node:crypto';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { defaultPayloadConverter, type Payload } from '@temporalio/common';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createPayloadCodec, isEncrypted } from '../../../client/codec/codec.ts';
import { codecKey, loadCodecKeys, parseCodecKeys } from '../../../client/codec/keys.ts';
import { readFailureMessage, readPayload } from '../../../client/codec/read.ts';
import { findEndpoint } from '../../../client/config.ts';

const [OLD, NEW] = [codecKey(Buffer.alloc(32, 1)), codecKey(Buffer.alloc(32, 2))];
const toPayload = (value: unknown): Payload => defaultPayloadConverter.toPayload(value);

async function encoded(value: unknown, keys = [NEW]): Promise<Payload> {
  const [payload] = await createPayloadCodec(keys).encode([toPayload(value)]);
  return payload!;
}

describe('the payload codec', () => {
  it('gives back whatever was put in, and shows nothing of it', async () => {
    const codec = createPayloadCodec([NEW]);
    await fc.assert(
      fc.asyncProperty(fc.uint8Array(), fc.dictionary(fc.string(), fc.uint8Array()), async (data, metadata) => {
        const payloads = await codec.encode([{ data, metadata }]);
        const [back] = await codec.decode(payloads);
        expect(Buffer.from(back!.data!)).toEqual(Buffer.from(data));
        const entries = (of: Payload['metadata']): unknown =>
          Object.entries(of ?? {})
            .map(([key, bytes]) => [key, Buffer.from(bytes)])
            .sort();
        expect(entries(back!.metadata)).toEqual(entries(metadata));
      }),
      { numRuns: 100 },
    );
    const { data, metadata } = await encoded('the secret word');
    expect(Buffer.from(data!).includes('secret')).toBe(false);
    expect(Buffer.from(metadata!['encryption-key-id']!).toString()).toBe(NEW.id);
  });

  it('encrypts the same value to other bytes each time', async () => {
    expect(Buffer.from((await encoded('same')).data!)).not.toEqual(Buffer.from((await encoded('same')).data!));
  });

  it('reads what any of its keys has encrypted, and what was never encrypted: keys are rolled, and histories go on', async () => {
    const codec = createPayloadCodec([NEW, OLD]);
    const payloads = [await encoded('old', [OLD]), await encoded('new'), toPayload('plain')];
    expect((await codec.decode(payloads)).map((payload) => defaultPayloadConverter.fromPayload(payload))).toEqual(['old', 'new', 'plain']);
  });

  it('leaves payloads as they are without a key', async () => {
    const codec = createPayloadCodec([]);
    const plain = toPayload('plain');
    expect(await codec.encode([plain])).toEqual([plain]);
    expect(await codec.decode([plain])).toEqual([plain]);
  });

  it.each([
    ['has another key', [OLD], OLD.id],
    ['has no key', [], 'has no codec key'],
  ])('says which key a payload wants when the process %s, and what to do', async (_what, keys, has) => {
    const decoding = createPayloadCodec(keys).decode([await encoded('x')]);
    await expect(decoding).rejects.toMatchObject({
      type: 'InvalidInput',
      message: expect.stringMatching(new RegExp(`${NEW.id}.*${has}`)) as string,
      details: { mend: expect.stringContaining('GUESTFLOW_CODEC_KEY_FILE') as string },
    });
  });

  it('refuses what was altered, cut short, or names a key of an unprintable name', async () => {
    const codec = createPayloadCodec([NEW]);
    const { data, metadata } = await encoded('x');
    for (let at = 0; at < data!.length; at += 1) {
      const altered = Buffer.from(data!);
      altered[at]! ^= 1;
      await expect(codec.decode([{ data: altered, metadata: metadata! }])).rejects.toThrow(/altered/);
    }
    await expect(codec.decode([{ data: data!.subarray(0, 20), metadata: metadata! }])).rejects.toThrow(/altered/);
    const hostile = { ...metadata!, 'encryption-key-id': Buffer.from('\u001b[2Jevil') };
    await expect(codec.decode([{ data: data!, metadata: hostile }])).rejects.toThrow(/of an unprintable name/);
    expect(isEncrypted({ data: data!, metadata: hostile })).toBe(true);
  });

  it('reads failures and heartbeats that Temporal hands out raw', async () => {
    const codec = createPayloadCodec([NEW]);
    expect(await readPayload(codec, await encoded({ message: 'copying' }))).toEqual({ message: 'copying' });
    expect(await readPayload(createPayloadCodec([]), await encoded('x'))).toBeUndefined();
    expect(await readFailureMessage(codec, { message: 'plain' })).toBe('plain');
    const failure = { message: 'Encoded failure', encodedAttributes: await encoded({ message: 'lvcreate failed', stack_trace: '' }) };
    expect(await readFailureMessage(codec, failure)).toBe('lvcreate failed');
    expect(await readFailureMessage(createPayloadCodec([OLD]), failure)).toMatch(NEW.id);
  });
});

describe('the file of codec keys', () => {
  let directory: string;
  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'guestflow-codec-'));
  });
  afterEach(() => {
    rmSync(directory, { recursive: true });
  });

  const secret = randomBytes(32).toString('base64');
  function file(text: string, mode = 0o600, name = 'keys'): string {
    const path = join(directory, name);
    writeFileSync(path, text);
    chmodSync(path, mode);
    return path;
  }

  it('has a key a line, the first of which encrypts', async () => {
    const path = file(`# keys\n${Buffer.from(NEW.secret).toString('base64')}\n\n${Buffer.from(OLD.secret).toString('base64')}\n`);
    expect((await loadCodecKeys(path, {})).map(({ id }) => id)).toEqual([NEW.id, OLD.id]);
    expect((await loadCodecKeys(undefined, { GUESTFLOW_CODEC_KEY_FILE: path })).map(({ id }) => id)).toEqual([NEW.id, OLD.id]);
  });

  it('may be a systemd credential, by its usual name or another; without any there are no keys', async () => {
    file(`${secret}\n`, 0o440, 'codec-keys');
    file(`${secret}\n`, 0o440, 'other');
    const env = { CREDENTIALS_DIRECTORY: directory };
    expect(await loadCodecKeys(undefined, env)).toHaveLength(1);
    expect(await loadCodecKeys('other', env)).toHaveLength(1);
    expect(await loadCodecKeys(undefined, {})).toEqual([]);
    expect(await loadCodecKeys(undefined, { CREDENTIALS_DIRECTORY: join(directory, 'none'), GUESTFLOW_CODEC_KEY_FILE: '' })).toEqual([]);
  });

  it.each([0o640, 0o604, 0o620])('is refused when others than its owner have rights on it: %o', async (mode) => {
    await expect(loadCodecKeys(file(`${secret}\n`, mode), {})).rejects.toMatchObject({
      type: 'InvalidInput',
      details: { mend: expect.stringContaining('chmod 600') as string },
    });
  });

  it('is refused when it is not there, with the command that makes one', async () => {
    await expect(loadCodecKeys(join(directory, 'none'), {})).rejects.toMatchObject({
      message: expect.stringContaining('there is no such file') as string,
      details: { mend: expect.stringContaining('openssl rand -base64 32') as string },
    });
  });

  it.each([
    ['no key', '# nothing\n', /holds no codec key/],
    ['a short key', `${randomBytes(16).toString('base64')}\n`, /line 1 is no codec key/],
    ['something else', `${secret}\ncorrect horse battery staple\n`, /line 2 is no codec key/],
    ['a key twice', `${secret}\n${secret}\n`, /line 2 has the key of an earlier line/],
  ])('with %s is refused by the number of the line, and no error shows what is in it', (_what, text, message) => {
    const refused = (): unknown => parseCodecKeys(text, 'keys');
    expect(refused).toThrow(message);
    try {
      refused();
    } catch (error) {
      expect(JSON.stringify([String(error), error])).not.toMatch(/horse|[A-Za-z0-9+/]{40}/);
    }
  });

  it('is read with the endpoint: who connects has the keys, and who cannot read them does not connect', async () => {
    const path = file(`${secret}\n`);
    expect((await findEndpoint({ address: '127.0.0.1:1', codecKeyFile: path })).codecKeys).toHaveLength(1);
    await expect(findEndpoint({ address: '127.0.0.1:1', codecKeyFile: join(directory, 'none') })).rejects.toMatchObject({
      type: 'InvalidInput',
    });
  });
});
