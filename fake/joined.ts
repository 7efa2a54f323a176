/** The pipelines that guestflow joins of the fake's tools: a writer and zstd; a file and zstd; a dump, zstd and restore. */
import { existsSync, readFileSync } from 'node:fs';
import type { PipelineStage } from '../system/run.ts';
import { image, names, writeHalf, writeImage } from './blocks.ts';
import { dump, listingOf, type Writer } from './dump.ts';
import type { Machine } from './machine.ts';
import { matchArgs, type Progress, type ToolOutput } from './tool.ts';

/** Bytes on their way: `chunk` comes out of the last stage, `passed` out of those before it, by their number. */
export interface Flow extends Progress {
  readonly passed?: readonly (Uint8Array | undefined)[];
}

/** A pipeline at work: what it does up to a `yield` has happened; at its end, what each stage left. */
export type PipelineSimulation = Generator<Flow, readonly ToolOutput[], void>;

const RESTORE = '--reuid=65534 --regid=65534 --clear-groups --no-new-privs --bounding-set=-all -- restore -t -f -';

const DD = 'of=<device> bs=1M iflag=fullblock conv=sparse,notrunc,fsync status=none';

/** A frame of the fake's zstd begins and ends so, and holds what was put in. */
const FRAME = Buffer.from('28b52ffd', 'hex');
const FRAME_END = Buffer.from('fake frame ends\n');

/** The pipeline that these stages are, or undefined for one that the fake does not know. */
export function startPipeline(machine: Machine, stages: readonly PipelineStage[]): PipelineSimulation | undefined {
  const [first, second, third] = stages;
  const last = (stage: PipelineStage | undefined, tool: string, pattern: string): boolean =>
    stage?.tool === tool && matchArgs(stage.args, pattern) !== undefined;
  if (first === undefined || stages.length > 3) return undefined;
  const writer = writerOf(machine, first);
  if (writer !== undefined && second === undefined) return alone(writer);
  if (writer !== undefined && last(second, 'zstd', '-3 -T0 -q -c')) return compress(machine, writer, first);
  const file = first.tool === 'cat' ? matchArgs(first.args, '-- <path>')?.['path'] : undefined;
  if (file !== undefined && last(second, 'zstd', '-dcq')) {
    if (third === undefined) return unpack(machine, file);
    const device = third.tool === 'dd' ? matchArgs(third.args, DD)?.['device'] : undefined;
    return device === undefined ? undefined : restore(machine, file, device);
  }
  const path = first.tool === 'zstd' ? matchArgs(first.args, '-dcq <path>')?.['path'] : undefined;
  return path !== undefined && last(second, 'setpriv', RESTORE) ? list(machine, path) : undefined;
}

function writerOf(machine: Machine, { tool, args }: PipelineStage): Writer | undefined {
  const device = (pattern: string): string | undefined => matchArgs(args, pattern)?.['device'];
  const dumped = tool === 'dump' ? device('-0 -a -f - <device>') : undefined;
  if (dumped !== undefined) return dump(machine, dumped);
  const imaged = tool === 'e2image' ? device('-ra <device> -') : undefined;
  if (imaged !== undefined) return image(machine, imaged);
  return tool === 'debugfs' && args[0] === '-R' && args[1] === 'filefrag -r /' ? names(machine, args[2] ?? '') : undefined;
}

function* alone(writer: Writer): PipelineSimulation {
  for (let step = writer.next(); ; step = writer.next()) {
    if (step.done === true) return [step.value];
    yield { done: step.value.done, chunk: step.value.bytes };
  }
}

function* compress(machine: Machine, writer: Writer, { args }: PipelineStage): PipelineSimulation {
  const device = args.find((arg) => arg.startsWith('/')) ?? '';
  yield { done: 0, chunk: FRAME };
  for (let step = writer.next(); ; step = writer.next()) {
    if (step.done === true) {
      yield { done: 1, chunk: FRAME_END };
      return [step.value, { code: 0 }];
    }
    yield { done: step.value.done, chunk: step.value.bytes, passed: [step.value.bytes] };
    // A snapshot that fills up is invalid from then on; who reads it does not notice.
    const volume = machine.volumeOfDevice(device);
    if (machine.conditions.snapshotsOverflow && volume?.origin !== undefined) volume.invalid = true;
  }
}

/** What is in a file of the fake's zstd; undefined: it has no end, or is none. */
function unframed(machine: Machine, path: string): Buffer | undefined {
  const bytes = readFileSync(machine.at(path));
  if (!bytes.subarray(0, FRAME.length).equals(FRAME) || !bytes.subarray(-FRAME_END.length).equals(FRAME_END)) return undefined;
  return bytes.subarray(FRAME.length, -FRAME_END.length);
}

function* unpack(machine: Machine, path: string): PipelineSimulation {
  const ended: ToolOutput = { code: 1, stderr: 'zstd: /*stdin*\\: unexpected end of file \n' };
  if (!existsSync(machine.at(path))) return [{ code: 1, stderr: `cat: ${path}: No such file or directory\n` }, ended];
  yield { done: 0, passed: [readFileSync(machine.at(path))] };
  const bytes = unframed(machine, path);
  if (bytes === undefined) return [{ code: 0 }, { code: 1, stderr: '/*stdin*\\ : Read error (39) : premature end \n' }];
  yield { done: 1, chunk: bytes };
  return [{ code: 0 }, { code: 0 }];
}

function* restore(machine: Machine, path: string, device: string): PipelineSimulation {
  const disk = machine.disk(device);
  if (disk === undefined)
    return [{ code: 0 }, { code: 0 }, { code: 1, stderr: `dd: failed to open '${device}': No such file or directory\n` }];
  const unpacking = unpack(machine, path);
  for (let step = unpacking.next(); ; step = unpacking.next()) {
    if (step.done === true) return [...step.value, { code: 0 }];
    const { done, chunk, passed = [] } = step.value;
    if (chunk !== undefined) {
      writeHalf(disk, chunk);
      yield { done: 0.5, passed: [undefined, chunk] };
      writeImage(disk, chunk);
      yield { done: 1 };
    } else yield { done: done / 2, passed };
  }
}

function* list(machine: Machine, path: string): PipelineSimulation {
  const noTape: ToolOutput = {
    code: 1,
    stderr: 'restore: cannot open /dev/tty: No such device or address\nrestore: Tape read error on first record\n',
  };
  if (!existsSync(machine.at(path)))
    return [{ code: 1, stderr: `zstd: can't stat ${path} : No such file or directory -- ignored \n` }, noTape];
  yield { done: 0 };
  const listing = listingOf(unframed(machine, path)?.toString('utf8') ?? '', path);
  if (listing === undefined) return [{ code: 1, stderr: `${path} : Read error (39) : premature end \n` }, noTape];
  yield { done: 1, chunk: Buffer.from(listing) };
  return [{ code: 0 }, { code: 0 }];
}
