/** dump and restore of the fake dom0: what one writes, and what the other makes of it. */
import type { Machine } from './machine.ts';
import type { ToolOutput } from './tool.ts';

const MAGIC = 'guestflow-fake-dump\n';
const END = '\nend of dump\n';
const PARTS = 8;

/** A tool that writes to the next one. At each `yield` it gives what it has read so far; it returns how it ended. */
export type Writer = Generator<{ readonly done: number; readonly bytes: Buffer }, ToolOutput, void>;

function says(lines: readonly string[]): string {
  return lines.map((line) => `  DUMP: ${line}\n`).join('');
}

const DATE = 'Mon Nov 23 18:02:38 2026';

export function* dump(machine: Machine, device: string): Writer {
  const heading = [`Date of this level 0 dump: ${DATE}`, `Dumping ${device} (an unlisted file system) to standard output`];
  const fs = machine.disk(device)?.content.fs;
  if (fs === undefined) {
    const why =
      machine.disk(device) === undefined
        ? `  DUMP: Cannot open ${device}`
        : `${device}: Bad magic number in super-block while opening filesystem`;
    return { code: 1, stderr: `${says(heading)}${why}\n${says(['The ENTIRE dump is aborted.'])}` };
  }
  // What is in the journal only is not seen, and nothing is said about it.
  const names = Object.keys(fs.files).sort();
  const body = Buffer.from(JSON.stringify({ label: fs.label, names, files: fs.files }));
  const padding = Buffer.alloc(65_536, 0x20);
  yield { done: 0, bytes: Buffer.from(MAGIC) };
  for (let part = 1; part <= PARTS; part += 1) yield { done: part / (PARTS + 1), bytes: part === PARTS / 2 ? body : padding };
  yield { done: 1, bytes: Buffer.from(END) };
  const blocks = String(Math.ceil(fs.usedBytes / 1024));
  return {
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
  };
}

/** What `restore -t` prints of a dump; undefined: it cannot read it to its end. */
export function listingOf(text: string, path: string): string | undefined {
  if (!text.startsWith(MAGIC) || !text.endsWith(END)) return undefined;
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
  return `${heading}${rows.map((row, index) => `${String(index + 2).padStart(10)}\t${row}`).join('\n')}\n`;
}
