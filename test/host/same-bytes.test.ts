/** The comparison of a stream with a device, by the real Perl, on files. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { randomFillSync } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { sameBytes } from '../../activities/dom0/tools/same-bytes.ts';
import { MiB } from '../../contract/sizes.ts';
import { host, scratch, whyNotHere } from './machine.ts';

const why = whyNotHere('perl', 'cat');
const CONTENT = randomFillSync(Buffer.alloc(3 * MiB + 17));

/** @returns what was wrong; undefined: nothing */
async function compare(saved: Buffer, device: Buffer, bytes = CONTENT.length): Promise<{ code?: number; message: string } | undefined> {
  const directory = scratch();
  const [from, to] = [join(directory, 'saved'), join(directory, 'device')];
  writeFileSync(from, saved);
  writeFileSync(to, device);
  try {
    await host.pipeline([{ tool: 'cat', args: ['--', from], mayBeCut: true }, sameBytes(to, bytes, () => undefined)], {
      sink: () => undefined,
    });
    return undefined;
  } catch (error) {
    const { code, message } = error as { code?: number; message: string };
    return { ...(code === undefined ? {} : { code }), message };
  }
}

function withByteAt(at: number): Buffer {
  const other = Buffer.from(CONTENT);
  other.writeUInt8((other.readUInt8(at) + 1) % 256, at);
  return other;
}

describe.skipIf(why !== undefined)('what was saved and a device', () => {
  it('are the same if each byte is, whatever the device holds behind them', async () => {
    expect(await compare(CONTENT, CONTENT)).toBeUndefined();
    expect(await compare(CONTENT, Buffer.concat([CONTENT, Buffer.from('of another')]))).toBeUndefined();
    expect(await compare(Buffer.concat([CONTENT, Buffer.alloc(5 * MiB)]), CONTENT)).toBeUndefined();
    expect(await compare(Buffer.alloc(0), CONTENT, 0)).toBeUndefined();
  });

  it.each([0, MiB - 1, MiB, 2 * MiB + 5, CONTENT.length - 1])('differ if the byte at %i does, and it is named', async (at) => {
    const expected = { code: 1, message: expect.stringContaining(`differ from byte ${String(at)} on`) as unknown };
    expect(await compare(CONTENT, withByteAt(at))).toMatchObject(expected);
    expect(await compare(withByteAt(at), CONTENT)).toMatchObject(expected);
  });

  it.each([0, 5, MiB, CONTENT.length - 1])('differ if one ends at byte %i', async (at) => {
    expect(await compare(CONTENT.subarray(0, at), CONTENT)).toMatchObject({
      code: 1,
      message: expect.stringMatching(/what was saved ends/) as unknown,
    });
    expect(await compare(CONTENT, CONTENT.subarray(0, at))).toMatchObject({
      code: 1,
      message: expect.stringMatching(/the device ends/) as unknown,
    });
  });

  it('cannot be compared if the device is not there: that is another error', async () => {
    const stage = sameBytes('/no/such/device', 1, () => undefined);
    await expect(
      host.pipeline([{ tool: 'cat', args: ['/etc/hostname'], mayBeCut: true }, stage], { sink: () => undefined }),
    ).rejects.toMatchObject({
      code: 2,
    });
  });
});
