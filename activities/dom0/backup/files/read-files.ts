/** Files out of a backup by the engine `blocks`. Nothing is booted or mounted: the image is unpacked, and read in a cage. */
import { chown, mkdir, open, writeFile } from 'node:fs/promises';
import { GuestflowError } from '../../../../contract/errors.ts';
import { formatSize } from '../../../../contract/sizes.ts';
import type { HandWork } from '../../work.ts';
import { withContainer } from '../by-hand/container.ts';
import type { FoundBackup } from '../repositories/reading.ts';
import { NOBODY, runCaged } from './cage.ts';
import { frameParser, type FrameSink, type Request } from './frames.ts';
import { withPrivatePlace } from './private-place.ts';
import { READER_WORD } from './reader.ts';

export interface Reading {
  readonly request: Request;
  /** Directory below which the image is unpacked. It takes as much room as the guest's files. */
  readonly temporary: string;
  /** The reader, as a CommonJS program. */
  readonly program: Uint8Array;
  readonly sink: FrameSink;
  /** Of a borg repository. */
  readonly passphraseFile: string;
}

/** @throws InvalidInput; HostNotReady without root; BackupUnusable when the backup is not what was written, or the reader cannot go on */
export async function readFiles(work: HandWork, backup: FoundBackup, reading: Reading): Promise<void> {
  const { request, temporary, program, sink, passphraseFile } = reading;
  mustBeReadable(backup);
  if (process.getuid?.() !== 0)
    throw new GuestflowError('HostNotReady', 'files are read in a cage, which only root can build', { mend: 'run it as root' });
  await withPrivatePlace(temporary, async (place) => {
    const tell = (done: number): void =>
      work.progress(`unpacking: ${formatSize(done)} of ${formatSize(backup.dumpedBytes)}`, done / backup.dumpedBytes);
    await unpackImage(place, {
      bytes: backup.dumpedBytes,
      program,
      fill: (image) => withContainer(work, backup, passphraseFile, (container) => container.unpackTo(backup, image, tell)),
    });
    await readImage(work, place, { request, sink });
  });
}

/** What is laid out in a private place, for `readImage`. */
export interface Unpacking {
  readonly bytes: number;
  /** The reader, as a CommonJS program. */
  readonly program: Uint8Array;
  /** Fills the image, which reads as zeros. */
  readonly fill: (image: string) => Promise<void>;
}

/** Unpacks an image into a private place, beside the program that reads it. Needs root. @throws what `fill` throws */
export async function unpackImage(place: string, { bytes, program, fill }: Unpacking): Promise<void> {
  const { image, root, code } = partsOf(place);
  await makeImage(image, bytes);
  await fill(image);
  await chown(image, NOBODY, NOBODY);
  await mkdir(root, 0o700);
  await writeFile(code, program, { mode: 0o444 });
}

/** Reads from what was unpacked into a place, in a cage. Several may read at a time. @throws ToolError, BackupUnusable; what the sink throws */
export async function readImage(
  { host, signal }: Pick<HandWork, 'host' | 'signal'>,
  place: string,
  { request, sink }: Pick<Reading, 'request' | 'sink'>,
): Promise<void> {
  const { image, root, code } = partsOf(place);
  const frames = frameParser(sink);
  const args = [READER_WORD, '/image', Buffer.from(JSON.stringify(request)).toString('base64')];
  await runCaged(host, { root, image, program: code, args }, { signal, sink: (chunk) => frames.push(chunk) });
  frames.end();
}

function partsOf(place: string): { readonly image: string; readonly root: string; readonly code: string } {
  return { image: `${place}/image`, root: `${place}/root`, code: `${place}/program` };
}

/** @throws InvalidInput when its engine keeps no file system that can be read */
export function mustBeReadable(backup: Pick<FoundBackup, 'engine' | 'id' | 'guest'>): void {
  if (backup.engine !== 'blocks')
    throw new GuestflowError(
      'InvalidInput',
      `backup ${backup.id} of ${backup.guest} was taken by ${backup.engine}: its files come out by restore(8) only`,
      {
        field: 'backup',
        value: backup.id,
        mend: 'docs/restore.md has the commands',
      },
    );
}

async function makeImage(path: string, bytes: number): Promise<void> {
  const handle = await open(path, 'wx', 0o600);
  try {
    await handle.truncate(bytes);
  } finally {
    await handle.close();
  }
}
