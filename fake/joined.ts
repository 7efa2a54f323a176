/** The pipelines that guestflow joins of the fake's tools: a writer (dump; the bitmap and what copies by it) and zstd; zstd, and dd, restore or what compares; borg, and dd or openssl; a file alone. */
import { existsSync, readFileSync } from 'node:fs';
import type { PipelineStage } from '../system/run.ts';
import { image, isImageOf, names, writeHalf, writeImage } from './blocks.ts';
import { borgPipeline, sumOfDisk } from './borg-pipelines.ts';
import { dump, listingOf, type Writer } from './dump.ts';
import type { Machine } from './machine.ts';
import { matchArgs, type Progress, type ToolOutput } from './tool.ts';

/** A pipeline at work: what it does up to a `yield` has happened; at its end, what each stage left. */
export type PipelineSimulation = Generator<Progress, readonly ToolOutput[], void>;

const RESTORE = '--reuid=65534 --regid=65534 --clear-groups --no-new-privs --bounding-set=-all -- restore -t -f -';

const COUNT = 'of=/dev/null bs=1M iflag=fullblock status=progress';
const WRITE = 'of=<device> bs=1M iflag=fullblock conv=sparse,notrunc,fsync status=progress';
const COMPARE = '-- <device> <bytes>';

/** A frame of the fake's zstd begins and ends so, and holds what was put in. */
const FRAME = Buffer.from('28b52ffd', 'hex');
const SIZE = '\nfake content size ';
const FRAME_END = Buffer.from('fake frame ends\n');

/** The pipeline that these stages are, or undefined for one that the fake does not know. */
export function startPipeline(machine: Machine, stages: readonly PipelineStage[]): PipelineSimulation | undefined {
  const [first, second, third] = stages;
  if (first === undefined || stages.length > 3) return undefined;
  if (third !== undefined) return third.tool === 'zstd' ? copyByBitmap(machine, stages) : undefined;
  const borg = borgPipeline(machine, [first, second], { writerOf: bitmapWriter, mayOverflow });
  if (borg !== undefined) return borg;
  if (second === undefined) {
    const file = first.tool === 'cat' ? matchArgs(first.args, '-- <path>')?.['path'] : undefined;
    const writer = writerOf(machine, first);
    return file !== undefined ? print(machine, file) : writer && alone(writer);
  }
  if (first.tool === 'head') return sumOfDisk(machine, first, second);
  const writer = writerOf(machine, first);
  if (writer !== undefined) return second.tool === 'zstd' ? compress(machine, writer, [first, second]) : undefined;
  const path = first.tool === 'zstd' ? matchArgs(first.args, '-dcq -- <path>')?.['path'] : undefined;
  return path === undefined ? undefined : reader(machine, path, second);
}

/** What reads from zstd as it unpacks. */
function reader(machine: Machine, path: string, { tool, args }: PipelineStage): PipelineSimulation | undefined {
  if (tool === 'setpriv') return matchArgs(args, RESTORE) && list(machine, path);
  if (tool === 'perl') {
    const { device, bytes } = matchArgs(args.slice(2), COMPARE) ?? {};
    return device === undefined ? undefined : compare(machine, path, device, Number(bytes));
  }
  if (tool !== 'dd') return undefined;
  if (matchArgs(args, COUNT)) return count(machine, path);
  const device = matchArgs(args, WRITE)?.['device'];
  return device === undefined ? undefined : restore(machine, path, device);
}

function writerOf(machine: Machine, { tool, args }: PipelineStage): Writer | undefined {
  const device = (pattern: string): string | undefined => matchArgs(args, pattern)?.['device'];
  const dumped = tool === 'dump' ? device('-0 -a -f - <device>') : undefined;
  if (dumped !== undefined) return dump(machine, dumped);
  return tool === 'debugfs' && args[0] === '-R' && args[1] === 'filefrag -r /' ? names(machine, args[2] ?? '') : undefined;
}

/** `dumpe2fs DEVICE | perl -e PROGRAM -- DEVICE BLOCKS BLOCKSIZE FREE [RATE] | zstd`. */
function copyByBitmap(machine: Machine, stages: readonly PipelineStage[]): PipelineSimulation | undefined {
  const writer = bitmapWriter(machine, stages);
  return writer && compress(machine, writer, stages);
}

/** `dumpe2fs DEVICE | perl -e PROGRAM -- DEVICE BLOCKS BLOCKSIZE FREE`. */
function bitmapWriter(machine: Machine, [bitmap, copy]: readonly PipelineStage[]): Writer | undefined {
  const device = bitmap?.tool === 'dumpe2fs' ? matchArgs(bitmap.args, '<device>')?.['device'] : undefined;
  if (device === undefined || copy?.tool !== 'perl' || copy.args[0] !== '-e') return undefined;
  const asked = ['-- <device> <blocks> <size> <free>', '-- <device> <blocks> <size> <free> <rate>'];
  if (!asked.some((words) => matchArgs(copy.args.slice(2), words)?.['device'] === device)) return undefined;
  return image(machine, device);
}

function* alone(writer: Writer): PipelineSimulation {
  for (let step = writer.next(); ; step = writer.next()) {
    if (step.done === true) return [step.value];
    yield { done: step.value.done, chunk: step.value.bytes };
  }
}

/** A file, as cat prints it. */
function* print(machine: Machine, path: string): PipelineSimulation {
  if (!existsSync(machine.at(path))) return [{ code: 1, stderr: `cat: ${path}: No such file or directory\n` }];
  yield { done: 1, chunk: readFileSync(machine.at(path)) };
  return [{ code: 0 }];
}

/** The frame says how much is in it, if that is known before. A file system of the fake has that size, though its model is a small text. */
function* compress(machine: Machine, writer: Writer, stages: readonly PipelineStage[]): PipelineSimulation {
  const before = stages.slice(0, -1);
  const size = matchArgs(stages.at(-1)?.args ?? [], '-3 -T0 -q -c --stream-size=<size>')?.['size'];
  const device = before[0]?.args.find((arg) => arg.startsWith('/')) ?? '';
  yield { done: 0, chunk: FRAME };
  for (let step = writer.next(); ; step = writer.next()) {
    if (step.done === true) {
      if (size !== undefined) yield { done: 1, chunk: Buffer.from(`${SIZE}${size}\n`) };
      yield { done: 1, chunk: FRAME_END };
      return [...before.slice(1).map((): ToolOutput => ({ code: 0 })), step.value, { code: 0 }];
    }
    yield { done: step.value.done, chunk: step.value.bytes };
    mayOverflow(machine, device);
  }
}

/** A snapshot that fills up is invalid from then on; who reads it does not notice. */
function mayOverflow(machine: Machine, device: string): void {
  const volume = machine.volumeOfDevice(device);
  if (machine.conditions.snapshotsOverflow && volume?.origin !== undefined) volume.invalid = true;
}

/** What is in a file of the fake's zstd, and how much that stands for; undefined: it has no end, or is none. */
function unframed(machine: Machine, path: string): { readonly content: Buffer; readonly bytes: number } | undefined {
  const file = readFileSync(machine.at(path));
  if (!file.subarray(0, FRAME.length).equals(FRAME) || !file.subarray(-FRAME_END.length).equals(FRAME_END)) return undefined;
  const content = file.subarray(FRAME.length, -FRAME_END.length);
  const at = content.lastIndexOf(SIZE);
  if (at < 0) return { content, bytes: content.length };
  return { content: content.subarray(0, at), bytes: Number(content.subarray(at + SIZE.length).toString('utf8')) };
}

/** What zstd says if it cannot unpack a file; undefined: it can. */
function cannotUnpack(machine: Machine, path: string): ToolOutput | undefined {
  if (!existsSync(machine.at(path))) return { code: 1, stderr: `zstd: can't stat ${path} : No such file or directory -- ignored \n` };
  return unframed(machine, path) === undefined ? { code: 1, stderr: `${path} : Read error (39) : premature end \n` } : undefined;
}

function copied(bytes: number): ToolOutput {
  return { code: 0, stderr: `0+1 records in\n0+1 records out\n${String(bytes)} bytes (0 B) copied, 1 s, 1 B/s\n` };
}

function* count(machine: Machine, path: string): PipelineSimulation {
  const bad = cannotUnpack(machine, path);
  if (bad !== undefined) return [bad, copied(0)];
  yield { done: 1 };
  return [{ code: 0 }, copied(unframed(machine, path)?.bytes ?? 0)];
}

function* restore(machine: Machine, path: string, device: string): PipelineSimulation {
  const disk = machine.disk(device);
  if (disk === undefined) return [{ code: 0 }, { code: 1, stderr: `dd: failed to open '${device}': No such file or directory\n` }];
  const bad = cannotUnpack(machine, path);
  if (bad !== undefined) return [bad, copied(0)];
  const { content, bytes } = unframed(machine, path) ?? { content: Buffer.alloc(0), bytes: 0 };
  writeHalf(disk, content);
  yield { done: 0.5 };
  writeImage(disk, content);
  yield { done: 1 };
  return [{ code: 0 }, copied(bytes)];
}

function* compare(machine: Machine, path: string, device: string, bytes: number): PipelineSimulation {
  const bad = cannotUnpack(machine, path);
  if (bad !== undefined) return [bad, { code: 1, stderr: 'they differ from byte 0 on, where what was saved ends\n' }];
  yield { done: 1 };
  const found = unframed(machine, path);
  const isSame = found?.bytes === bytes && isImageOf(machine.disk(device), found.content);
  return [{ code: 0 }, isSame ? { code: 0 } : { code: 1, stderr: 'they differ from byte 0 on\n' }];
}

function* list(machine: Machine, path: string): PipelineSimulation {
  const noTape: ToolOutput = {
    code: 1,
    stderr: 'restore: cannot open /dev/tty: No such device or address\nrestore: Tape read error on first record\n',
  };
  const bad = cannotUnpack(machine, path);
  if (bad !== undefined) return [bad, noTape];
  yield { done: 0 };
  const listing = listingOf(unframed(machine, path)?.content.toString('utf8') ?? '', path);
  if (listing === undefined) return [{ code: 0 }, noTape];
  yield { done: 1, chunk: Buffer.from(listing) };
  return [{ code: 0 }, { code: 0 }];
}
