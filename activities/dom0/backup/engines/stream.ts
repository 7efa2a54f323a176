/**
 * What engines have in common: a tool's output goes through zstd into the repository, and is read back from there. The bytes of the file are summed
 * (SHA-256); for its content, zstd keeps a checksum (XXH64) in each frame, and tests it as it unpacks. The content itself does not pass through this
 * process: it is ten times as much, most of it zeros.
 */
import { createHash } from 'node:crypto';
import { GuestflowError } from '../../../../contract/errors.ts';
import type { FileSink } from '../../../../system/host.ts';
import { lineReader } from '../../../../system/lines.ts';
import { ToolError, type PipelineStage } from '../../../../system/run.ts';
import { checkedPath } from '../../tools/arguments.ts';
import type { HandWork } from '../../work.ts';
import type { Saved, Written } from '../port.ts';

/** For what reads or writes a whole disk. */
export const DAY_MS = 24 * 60 * 60 * 1000;

/** A sum of bytes, and how many they are. */
function newSum(): { readonly bytes: number; readonly add: (chunk: Uint8Array) => void; readonly end: () => Written } {
  const hash = createHash('sha256');
  let bytes = 0;
  return {
    get bytes() {
      return bytes;
    },
    add(chunk) {
      hash.update(chunk);
      bytes += chunk.byteLength;
    },
    end: () => ({ bytes, sha256: hash.digest('hex') }),
  };
}

/**
 * Writes what processes in a row print to the sink, compressed.
 *
 * @param contentBytes how much they print, where that is known: if they print another number of bytes, that is an error
 * @param onWritten told the bytes written so far
 * @returns what was written, and what the first process said on its standard error
 */
export async function compressTo(
  { host, signal }: HandWork,
  source: readonly PipelineStage[],
  sink: FileSink,
  { contentBytes, onWritten }: { readonly contentBytes?: number; readonly onWritten?: (bytes: number) => void },
): Promise<Written & { readonly stderr: string }> {
  const file = newSum();
  const size = contentBytes === undefined ? [] : [`--stream-size=${String(contentBytes)}`];
  const { stages } = await host.pipeline([...source, { tool: 'zstd', args: ['-3', '-T0', '-q', '-c', ...size] }], {
    timeoutMs: DAY_MS,
    signal,
    sink: async (chunk) => {
      file.add(chunk);
      await sink.write(chunk);
      onWritten?.(file.bytes);
    },
  });
  return { ...file.end(), stderr: stages[0]?.stderr ?? '' };
}

/** The stage that unpacks a backup. */
function unpack(path: string): PipelineStage {
  return { tool: 'zstd', args: ['-dcq', '--', checkedPath('backup', path)] };
}

/** What dd says of how far it is. It says so every second, and at its end. */
const COPIED = /^(\d+) bytes? /;

/**
 * Unpacks a backup into a file, which may be /dev/null.
 *
 * @returns how many bytes its content has
 * @throws ToolError if the content is not what zstd has packed
 */
async function unpackInto(
  { host, signal }: HandWork,
  path: string,
  { to, conversion = [] }: { readonly to: string; readonly conversion?: readonly string[] },
  onProgress: (bytes: number) => void,
): Promise<number> {
  let bytes = 0;
  const said = lineReader((line) => {
    bytes = Number(COPIED.exec(line)?.[1] ?? bytes);
    onProgress(bytes);
  });
  const onStderr = (text: string): void => said.push(text);
  const args = [`of=${checkedPath('device', to)}`, 'bs=1M', 'iflag=fullblock', ...conversion, 'status=progress'];
  await host.pipeline([unpack(path), { tool: 'dd', args, onStderr }], { timeoutMs: DAY_MS, signal, sink: () => undefined });
  return bytes;
}

/** @throws BackupUnusable unless the file has the size and the sum of the one that was written */
async function mustBeTheFile({ host, signal }: HandWork, path: string, saved: Written): Promise<void> {
  const sum = newSum();
  await host.pipeline([{ tool: 'cat', args: ['--', checkedPath('backup', path)] }], { timeoutMs: DAY_MS, signal, sink: sum.add });
  const found = sum.end();
  const other = (['bytes', 'sha256'] as const).find((key) => found[key] !== saved[key]);
  if (other === undefined) return;
  throw new GuestflowError('BackupUnusable', `${path} is not what was written: ${other} is ${found[other]}, and was ${saved[other]}`);
}

/** @throws BackupUnusable unless so many bytes were unpacked */
function mustHave(path: string, contentBytes: number, found: number): void {
  if (found !== contentBytes)
    throw new GuestflowError('BackupUnusable', `${path} holds ${String(found)} bytes, and must hold ${String(contentBytes)}`);
}

/**
 * Reads a backup from end to end.
 *
 * @param expectedBytes of its content, where that is known
 * @returns the bytes of its content
 * @throws BackupUnusable unless it is, byte for byte, what was written
 */
export async function readBack(work: HandWork, path: string, written: Written, expectedBytes?: number): Promise<number> {
  work.progress('reading the backup back');
  await mustBeTheFile(work, path, written);
  const bytes = await unpackInto(work, path, { to: '/dev/null' }, (done) => {
    work.progress('reading the backup back', expectedBytes === undefined ? undefined : done / expectedBytes);
  });
  if (expectedBytes !== undefined) mustHave(path, expectedBytes, bytes);
  return bytes;
}

/**
 * Writes the content of a backup to a device that reads as zeros, and compares every byte of it there. Zeros are not written.
 *
 * @param onProgress told the bytes so far
 * @throws BackupUnusable unless the backup is what was written, and the device holds its content. What is on the device must not be used then.
 */
export async function unpackTo(
  work: HandWork,
  path: string,
  saved: Saved,
  device: string,
  onProgress: (bytes: number) => void,
): Promise<void> {
  await mustBeTheFile(work, path, saved);
  const bytes = await unpackInto(work, path, { to: device, conversion: ['conv=sparse,notrunc,fsync'] }, onProgress);
  mustHave(path, saved.dumpedBytes, bytes);
  work.progress(`comparing ${device} with what was saved`);
  const compare = { tool: 'cmp', args: ['-n', String(saved.dumpedBytes), '--', '-', checkedPath('device', device)] };
  const { host, signal } = work;
  try {
    await host.pipeline([{ ...unpack(path), mayBeCut: true }, compare], { timeoutMs: DAY_MS, signal, sink: () => undefined });
  } catch (error) {
    // cmp ends with 1 if the two differ, and with 2 if it could not read one.
    if (!(error instanceof ToolError) || error.tool !== 'cmp' || error.code !== 1) throw error;
    throw new GuestflowError('BackupUnusable', `what was restored to ${device} is not what was saved: ${error.message}`);
  }
}
