/** The pipelines in which borg of the fake dom0 stands: alone, as it makes an archive; before dd or openssl, which read one. */
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import type { PipelineStage } from '../system/run.ts';
import { imageOf, writeHalf, writeImage } from './blocks.ts';
import { FakeRepository, says, withoutFlock, type Archive } from './borg.ts';
import type { Writer } from './dump.ts';
import type { Machine } from './machine.ts';
import { matchArgs, type Progress, type ToolOutput } from './tool.ts';

type PipelineSimulation = Generator<Progress, readonly ToolOutput[], void>;

/** What pipelines with and without borg have in common. */
export interface Around {
  readonly writerOf: (machine: Machine, stages: readonly PipelineStage[]) => Writer | undefined;
  readonly mayOverflow: (machine: Machine, device: string) => void;
}

const SUM = 'dgst -sha256 -r';
const WRITE = 'of=<device> bs=1M iflag=fullblock conv=sparse,notrunc,fsync status=progress';

/** The pipeline that begins with borg; undefined: it does not, or the fake does not know it. */
export function borgPipeline(
  machine: Machine,
  [first, second]: readonly [PipelineStage, PipelineStage | undefined],
  around: Around,
): PipelineSimulation | undefined {
  const stage = borgStage(machine, first);
  if (stage === undefined) return undefined;
  return second === undefined ? createArchive(machine, stage, around) : fromArchive(machine, stage, second);
}

/** A borg that stands in a pipeline. */
interface BorgStage {
  readonly repository: FakeRepository;
  readonly archive: string;
  /** What prints what an archive is made of; undefined: its content comes out. */
  readonly source?: readonly PipelineStage[];
}

const HOW = '--checkpoint-interval 0 --chunker-params fixed,131072 --compression zstd,3 --files-cache disabled --stdin-name root.img';
const CREATE = `--progress create --json ${HOW} --content-from-command --`.split(' ');
const EXTRACT = '--progress --bypass-lock extract --stdout -- <location> root.img';

function borgStage(machine: Machine, { tool, args }: PipelineStage): BorgStage | undefined {
  const inner = tool === 'flock' ? withoutFlock(args) : undefined;
  if (inner === undefined) return undefined;
  const stage = (location: string): BorgStage => {
    const [path = '', archive = ''] = location.split('::');
    return { repository: new FakeRepository(machine, path), archive };
  };
  const extracted = matchArgs(inner.args, EXTRACT)?.['location'];
  if (extracted !== undefined) return stage(extracted);
  const isCreate = CREATE.every((word, at) => inner.args[at] === word);
  const [location = '', bash, flag, , name, first = '', ...command] = inner.args.slice(CREATE.length);
  if (!isCreate || bash !== 'bash' || flag !== '-c' || name !== 'bash') return undefined;
  const [one, other] = [command.slice(0, Number(first)), command.slice(Number(first))];
  const source = [one, other].filter((words) => words.length > 0).map(([tool = '', ...args]) => ({ tool, args }));
  return { ...stage(location), source };
}

function sumOf(content: Uint8Array): string {
  return `${createHash('sha256').update(content).digest('hex')} *stdin\n`;
}

/** `borg create`. @param bytes how much the content stands for; `onStep` is called when the tool has read on */
function* create(
  { repository, archive }: BorgStage,
  writer: Writer,
  { bytes, onStep }: { readonly bytes: number; readonly onStep: () => void },
): PipelineSimulation {
  const closed = repository.closed();
  if (closed !== undefined) return [closed];
  repository.lock();
  const parts: Uint8Array[] = [];
  let ended: ToolOutput | undefined;
  while (ended === undefined) {
    const step = writer.next();
    if (step.done === true) {
      ended = step.value;
    } else {
      parts.push(step.value.bytes);
      yield { done: step.value.done };
      onStep();
    }
  }
  const content = Buffer.concat(parts);
  const heard = `${ended.stderr ?? ''}${sumOf(content)}`;
  if (ended.code === 0) repository.write(archive, { content, bytes });
  repository.unlock();
  if (ended.code !== 0) return [{ code: 2, stderr: heard + (says(`Command 'bash' exited with status ${ended.code}`).stderr ?? '') }];
  const stats = { original_size: bytes, compressed_size: content.length, deduplicated_size: content.length, nfiles: 1 };
  yield { done: 1, chunk: Buffer.from(JSON.stringify({ archive: { name: archive, stats } })) };
  return [{ code: 0, stderr: `${heard}${JSON.stringify({ type: 'archive_progress', ...stats })}\n` }];
}

/** What `borg extract` gives to the next process; or what it says instead. */
function extracted({ repository, archive }: BorgStage): (Archive & { readonly said: ToolOutput }) | ToolOutput {
  const found = existsSync(repository.at('config')) ? repository.read(archive) : undefined;
  if (found === undefined) return says(`Archive ${archive} does not exist`, 'Archive.DoesNotExist');
  const progress = { type: 'progress_percent', msgid: 'extract', current: found.bytes, total: found.bytes };
  return { ...found, said: { code: 0, stderr: `${JSON.stringify(progress)}\n` } };
}

function createArchive(machine: Machine, stage: BorgStage, { writerOf, mayOverflow }: Around): PipelineSimulation | undefined {
  const { source } = stage;
  const writer = source && writerOf(machine, source);
  if (writer === undefined) return undefined;
  const device = source?.[0]?.args.find((arg) => arg.startsWith('/')) ?? '';
  const bytes = machine.disk(device)?.content.fs?.bytes ?? 0;
  return create(stage, writer, { bytes, onStep: () => mayOverflow(machine, device) });
}

/** What reads an archive as it comes out. */
function fromArchive(machine: Machine, stage: BorgStage, { tool, args }: PipelineStage): PipelineSimulation | undefined {
  if (tool === 'openssl' && args.join(' ') === SUM) return sumOfArchive(stage);
  const device = tool === 'dd' ? matchArgs(args, WRITE)?.['device'] : undefined;
  return device === undefined ? undefined : fromArchiveTo(machine, stage, device);
}

function* sumOfArchive(stage: BorgStage): PipelineSimulation {
  const found = extracted(stage);
  if ('code' in found) return [found, { code: 0 }];
  yield { done: 1, chunk: Buffer.from(sumOf(found.content)) };
  return [found.said, { code: 0 }];
}

function* fromArchiveTo(machine: Machine, stage: BorgStage, device: string): PipelineSimulation {
  const disk = machine.disk(device);
  if (disk === undefined) return [{ code: 0 }, { code: 1, stderr: `dd: failed to open '${device}': No such file or directory\n` }];
  const found = extracted(stage);
  if ('code' in found) return [found, copied(0)];
  writeHalf(disk, found.content);
  yield { done: 0.5 };
  writeImage(disk, found.content);
  yield { done: 1 };
  return [found.said, copied(found.bytes)];
}

/** The sum of a part of a disk: that of the file system on it, if that is the part. */
export function sumOfDisk(machine: Machine, head: PipelineStage, { tool, args }: PipelineStage): PipelineSimulation | undefined {
  const { bytes, device } = matchArgs(head.args, '-c <bytes> -- <device>') ?? {};
  if (device === undefined || tool !== 'openssl' || args.join(' ') !== SUM) return undefined;
  const fs = machine.disk(device)?.content.fs;
  const sum = sumOf(fs?.bytes === Number(bytes) ? imageOf(fs) : Buffer.from('something else'));
  return print(sum);
}

function* print(sum: string): PipelineSimulation {
  yield { done: 1, chunk: Buffer.from(sum) };
  return [{ code: 0 }, { code: 0 }];
}

/** What dd says at its end. */
function copied(bytes: number): ToolOutput {
  return { code: 0, stderr: `0+1 records in\n0+1 records out\n${String(bytes)} bytes (0 B) copied, 1 s, 1 B/s\n` };
}
