/** What engines have in common: a tool's output goes through zstd into the repository, and is read back from there. Both streams are summed (SHA-256). */
import { createHash } from 'node:crypto';
import { GuestflowError } from '../../../../contract/errors.ts';
import type { FileSink } from '../../../../system/host.ts';
import type { PipelineStage } from '../../../../system/run.ts';
import { checkedPath } from '../../tools/arguments.ts';
import type { Work } from '../../work.ts';
import type { Saved } from '../port.ts';

/** For what reads or writes a whole disk. */
export const DAY_MS = 24 * 60 * 60 * 1000;

interface Sum {
  readonly bytes: number;
  readonly add: (chunk: Uint8Array) => void;
  readonly hex: () => string;
}

function newSum(): Sum {
  const hash = createHash('sha256');
  let bytes = 0;
  return {
    get bytes() {
      return bytes;
    },
    add: (chunk) => {
      hash.update(chunk);
      bytes += chunk.byteLength;
    },
    hex: () => hash.digest('hex'),
  };
}

/**
 * Writes what a process prints to the sink, compressed.
 *
 * @param onProgress told the bytes read and the bytes written so far
 * @returns what was written, and what the process said on its standard error
 */
export async function compressTo(
  { host, signal }: Work,
  source: Pick<PipelineStage, 'tool' | 'args'>,
  sink: FileSink,
  onProgress: (read: number, written: number) => void,
): Promise<Saved & { readonly stderr: string }> {
  const [stream, file] = [newSum(), newSum()];
  const { stages } = await host.pipeline(
    [
      { ...source, tap: stream.add },
      { tool: 'zstd', args: ['-3', '-T0', '-q', '-c'] },
    ],
    {
      timeoutMs: DAY_MS,
      signal,
      sink: async (chunk) => {
        file.add(chunk);
        await sink.write(chunk);
        onProgress(stream.bytes, file.bytes);
      },
    },
  );
  return { bytes: file.bytes, dumpedBytes: stream.bytes, sha256: file.hex(), streamSha256: stream.hex(), stderr: stages[0]?.stderr ?? '' };
}

/** The stages that unpack the file of a backup, while its bytes are summed. */
function unpack(path: string, file: Sum): [PipelineStage, PipelineStage] {
  return [
    { tool: 'cat', args: ['--', checkedPath('backup', path)], tap: file.add },
    { tool: 'zstd', args: ['-dcq'] },
  ];
}

/** The sum (SHA-256) of what a process prints. */
export async function sumOf(
  { host, signal }: Work,
  source: Pick<PipelineStage, 'tool' | 'args'>,
): Promise<{ sha256: string; stderr: string }> {
  const sum = newSum();
  const { stages } = await host.pipeline([source], { timeoutMs: DAY_MS, signal, sink: sum.add });
  return { sha256: sum.hex(), stderr: stages[0]?.stderr ?? '' };
}

/**
 * Writes the content of a backup to a device that reads as zeros. Blocks of zeros are skipped.
 *
 * @param onProgress told the bytes so far
 * @throws BackupUnusable unless the backup is, byte for byte, what was written. What is on the device must not be used then.
 */
export async function unpackTo(
  { host, signal }: Work,
  path: string,
  saved: Saved,
  device: string,
  onProgress: (bytes: number) => void,
): Promise<void> {
  const [file, stream] = [newSum(), newSum()];
  const [read, unpacked] = unpack(path, file);
  const tap = (chunk: Uint8Array): void => {
    stream.add(chunk);
    onProgress(stream.bytes);
  };
  const write = {
    tool: 'dd',
    args: [`of=${checkedPath('device', device)}`, 'bs=1M', 'iflag=fullblock', 'conv=sparse,notrunc,fsync', 'status=none'],
  };
  await host.pipeline([read, { ...unpacked, tap }, write], { timeoutMs: DAY_MS, signal, sink: () => undefined });
  mustBeSame(path, saved, file, stream);
}

/** @throws BackupUnusable unless these are the sums of what was written */
function mustBeSame(path: string, saved: Saved, file: Sum, stream: Sum): void {
  const found: Saved = { bytes: file.bytes, dumpedBytes: stream.bytes, sha256: file.hex(), streamSha256: stream.hex() };
  const other = (['bytes', 'sha256', 'dumpedBytes', 'streamSha256'] as const).find((key) => found[key] !== saved[key]);
  if (other === undefined) return;
  throw new GuestflowError('BackupUnusable', `${path} is not what was written: ${other} is ${found[other]}, and was ${saved[other]}`);
}

/** Reads a backup from end to end. @throws BackupUnusable unless it is, byte for byte, what was written */
export async function readBack(work: Work, path: string, saved: Saved): Promise<void> {
  const [file, stream] = [newSum(), newSum()];
  work.progress('reading the backup back');
  await work.host.pipeline(unpack(path, file), { timeoutMs: DAY_MS, signal: work.signal, sink: stream.add });
  mustBeSame(path, saved, file, stream);
}
