/** dump, zstd and restore of the fake dom0: the two pipelines that guestflow joins from them. */
import { existsSync, readFileSync } from 'node:fs';
import type { Machine } from './machine.ts';
import { matchArgs, type Progress, type ToolOutput } from './tool.ts';
import type { PipelineStage } from '../system/run.ts';

const MAGIC = 'guestflow-fake-dump\n';
const END = '\nend of dump\n';
const PARTS = 8;

/** A pipeline at work: what it does up to a `yield` has happened; at its end, what each stage left. */
export type PipelineSimulation = Generator<Progress & { readonly stage?: number }, readonly ToolOutput[], void>;

const RESTORE = '--reuid=65534 --regid=65534 --clear-groups --no-new-privs --bounding-set=-all -- restore -t -f -';

/** The pipeline that these stages are, or undefined for one that the fake does not know. */
export function startPipeline(machine: Machine, stages: readonly PipelineStage[]): PipelineSimulation | undefined {
  const [first, second] = stages;
  if (stages.length !== 2 || first === undefined || second === undefined) return undefined;
  const device = first.tool === 'dump' ? matchArgs(first.args, '-0 -a -f - <device>')?.['device'] : undefined;
  if (device !== undefined && second.tool === 'zstd' && matchArgs(second.args, '-3 -T0 -q -c') !== undefined) return dump(machine, device);
  const path = first.tool === 'zstd' ? matchArgs(first.args, '-dcq <path>')?.['path'] : undefined;
  if (path !== undefined && second.tool === 'setpriv' && matchArgs(second.args, RESTORE) !== undefined) return list(machine, path);
  return undefined;
}

function says(lines: readonly string[]): string {
  return lines.map((line) => `  DUMP: ${line}\n`).join('');
}

const DATE = 'Mon Nov 23 18:02:38 2026';

/** zstd gets nothing from a dump that fails, and makes an empty frame of it. */
const EMPTY_FRAME = Buffer.from('28b52ffd240001000099e9d851', 'hex');

function* dump(machine: Machine, device: string): PipelineSimulation {
  const heading = [`Date of this level 0 dump: ${DATE}`, `Dumping ${device} (an unlisted file system) to standard output`];
  const aborted = (why: string): readonly ToolOutput[] => [
    { code: 1, stderr: `${says(heading)}${why}\n${says(['The ENTIRE dump is aborted.'])}` },
    { code: 0 },
  ];
  const fs = machine.disk(device)?.content.fs;
  if (fs === undefined) {
    yield { done: 0, chunk: EMPTY_FRAME };
    return aborted(
      machine.disk(device) === undefined
        ? `  DUMP: Cannot open ${device}`
        : `${device}: Bad magic number in super-block while opening filesystem`,
    );
  }
  // What is in the journal only is not seen, and nothing is said about it.
  const names = Object.keys(fs.files).sort();
  const body = Buffer.from(JSON.stringify({ label: fs.label, names, files: fs.files }));
  const padding = Buffer.alloc(65_536, 0x20);
  yield { done: 0, chunk: Buffer.from(MAGIC) };
  for (let part = 1; part <= PARTS; part += 1) {
    yield { done: part / (PARTS + 1), chunk: part === PARTS / 2 ? body : padding };
    // A snapshot that fills up is invalid from then on; dump does not notice what it reads.
    const volume = machine.volumeOfDevice(device);
    if (machine.conditions.snapshotsOverflow && volume?.origin !== undefined) volume.invalid = true;
  }
  yield { done: 1, chunk: Buffer.from(END) };
  const blocks = String(Math.ceil(fs.usedBytes / 1024));
  return [
    {
      code: 0,
      stderr: says([
        ...heading,
        'Label: none',
        'Writing 10 Kilobyte records',
        'mapping (Pass I) [regular files]',
        'mapping (Pass II) [directories]',
        `estimated ${blocks} blocks.`,
        `Volume 1 started with block 1 at: ${DATE}`,
        'dumping (Pass III) [directories]',
        'dumping (Pass IV) [regular files]',
        `Volume 1 completed at: ${DATE}`,
        `Volume 1 ${blocks} blocks (${(fs.usedBytes / 2 ** 20).toFixed(2)}MB)`,
        `${blocks} blocks (${(fs.usedBytes / 2 ** 20).toFixed(2)}MB)`,
        'finished in less than a second',
        `Date of this level 0 dump: ${DATE}`,
        `Date this dump completed:  ${DATE}`,
        'Average transfer rate: 0 kB/s',
        'DUMP IS DONE',
      ]),
    },
    { code: 0 },
  ];
}

function* list(machine: Machine, path: string): PipelineSimulation {
  const noTape: ToolOutput = {
    code: 1,
    stderr: 'restore: cannot open /dev/tty: No such device or address\nrestore: Tape read error on first record\n',
  };
  if (!existsSync(machine.at(path)))
    return [{ code: 1, stderr: `zstd: can't stat ${path} : No such file or directory -- ignored \n` }, noTape];
  const text = readFileSync(machine.at(path), 'utf8');
  yield { done: 0 };
  if (!text.startsWith(MAGIC) || !text.endsWith(END)) return [{ code: 1, stderr: `${path} : Read error (39) : premature end \n` }, noTape];
  const { names } = JSON.parse(text.slice(MAGIC.length, -END.length)) as { names: string[] };
  const folders = [
    ...new Set(
      names.flatMap((name) =>
        name
          .split('/')
          .slice(1, -1)
          .map((_, depth, parts) => `/${parts.slice(0, depth + 1).join('/')}`),
      ),
    ),
  ].sort();
  const rows = ['.', './lost+found', ...folders.map((folder) => `.${folder}`), ...names.map((name) => `.${name}`)];
  const heading = `Dump   date: ${DATE}\nDumped from: the epoch\nLevel 0 dump of an unlisted file system on dom0:${path}\nLabel: none\n`;
  yield { done: 1, chunk: Buffer.from(`${heading}${rows.map((row, index) => `${String(index + 2).padStart(10)}\t${row}`).join('\n')}\n`) };
  return [{ code: 0 }, { code: 0 }];
}
