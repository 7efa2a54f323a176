/** Takes the uncompressed kernel out of a bzImage: under emulation xl and Xen would otherwise unpack it at each boot of a guest. */
import { createWriteStream } from 'node:fs';
import { open, readFile, rm, writeFile } from 'node:fs/promises';
import type { Runner } from '../system/run.ts';

const SETUP_SECTORS = 0x1f1;
const PAYLOAD_OFFSET = 0x248;
const PAYLOAD_LENGTH = 0x24c;
const SECTOR = 512;
/** The kernel's build appends the unpacked size to the compressed stream. */
const SIZE_SUFFIX = 4;

const UNPACKERS: readonly { readonly magic: Buffer; readonly tool: string }[] = [
  { magic: Buffer.from([0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00]), tool: 'xz' },
  { magic: Buffer.from([0x28, 0xb5, 0x2f, 0xfd]), tool: 'zstd' },
  { magic: Buffer.from([0x1f, 0x8b]), tool: 'gzip' },
];

/** The compressed kernel inside a bzImage (the kernel's Documentation/arch/x86/boot.rst), and the tool that unpacks it. */
export function findPayload(image: Buffer): { payload: Buffer; tool: string } {
  const setup = ((image[SETUP_SECTORS] ?? 0) || 4) + 1;
  const start = setup * SECTOR + image.readUInt32LE(PAYLOAD_OFFSET);
  const whole = image.subarray(start, start + image.readUInt32LE(PAYLOAD_LENGTH));
  const unpacker = UNPACKERS.find(({ magic }) => whole.subarray(0, magic.length).equals(magic));
  if (unpacker === undefined)
    throw new Error(`the kernel is compressed in a way that is not known (it begins with ${whole.subarray(0, 6).toString('hex')})`);
  return { payload: whole.subarray(0, -SIZE_SUFFIX), tool: unpacker.tool };
}

/** Writes what `tool -dc file` prints to `target`. */
export async function unpackTo(runner: Runner, tool: string, file: string, target: string): Promise<void> {
  const out = createWriteStream(target);
  const written = new Promise<void>((resolve, reject) => {
    out.once('finish', resolve);
    out.once('error', reject);
  });
  await runner.pipeline([{ tool, args: ['-dc', '--', file] }], {
    sink: (chunk) =>
      new Promise((resolve, reject) => {
        out.write(chunk, (error) => {
          if (error) reject(error);
          else resolve();
        });
      }),
  });
  out.end();
  await written;
}

/** Writes the ELF kernel inside the bzImage `source` to `target`. */
export async function extractKernel(runner: Runner, source: string, target: string): Promise<void> {
  const { payload, tool } = findPayload(await readFile(source));
  const packed = `${target}.packed`;
  try {
    await writeFile(packed, payload);
    await unpackTo(runner, tool, packed, target);
  } finally {
    await rm(packed, { force: true });
  }
  const handle = await open(target);
  try {
    const { buffer } = await handle.read(Buffer.alloc(4), 0, 4, 0);
    if (buffer.toString('latin1') !== '\x7fELF') throw new Error(`${source} does not hold an ELF kernel`);
  } finally {
    await handle.close();
  }
}
