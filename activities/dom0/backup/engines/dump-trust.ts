/**
 * Whether dump (0.4b47) can be trusted with a file system. It says DUMP IS DONE and exits with 0 even if it has spoilt what it does not know: it fills
 * unwritten extents with deleted data, turns encrypted names into garbage, and loses names of 255 bytes. So it gets only file systems whose features
 * were tried with it. It always loses the nanoseconds of times.
 */
import { ToolError } from '../../../../system/run.ts';
import { checkedPath } from '../../tools/arguments.ts';
import type { FsInfo } from '../../tools/ext4.ts';
import type { HandWork } from '../../work.ts';

/** Features with which a dump was tried and restored. */
const TRIED: ReadonlySet<string> = new Set(
  (
    'has_journal ext_attr resize_inode dir_index filetype extent 64bit meta_bg flex_bg sparse_super sparse_super2 large_file huge_file dir_nlink ' +
    'extra_isize uninit_bg metadata_csum metadata_csum_seed orphan_file fast_commit large_dir'
  ).split(' '),
);

/** dump loses a name of this many bytes. */
const LOST_NAME = 255;
const HOUR_MS = 60 * 60 * 1000;
/** How many inodes debugfs is asked for at once. */
const BATCH = 2_000;
const FIRST_INODE = 11;

/** Why dump would lose data of a file system with these features; undefined if it was tried with all of them. */
export function unsafeForDump(features: readonly string[]): string | undefined {
  const untried = features.filter((feature) => !TRIED.has(feature));
  if (untried.length > 0) return `dump was never tried with, or loses data of, a file system with ${untried.join(', ')}`;
  return features.includes('has_journal') ? undefined : 'without a journal, nothing says what the guest had written for good';
}

/** Why dump cannot be trusted with the clean file system on a device; undefined if it can. */
export async function whyNotDump(work: HandWork, device: string, fs: FsInfo): Promise<string | undefined> {
  const unsafe = unsafeForDump(fs.features);
  if (unsafe !== undefined) return unsafe;
  const path = checkedPath('device', device);
  work.progress(`looking for what dump would spoil on ${device}`);
  try {
    return (await lostNames(work, path)) ?? (await spoiltFiles(work, path, fs.blocks * fs.blockSize));
  } catch (error) {
    if (!(error instanceof ToolError) || error.cancelled || error.notFound) throw error;
    return `it could not be looked through (${error.message})`;
  }
}

/** A line of debugfs about a file. If a name holds a line break, some lines do not match. */
const OF_A_FILE = /^(\/.*): \d+ contiguous extents(?: \(dir\))?$/;

/** Looks at each printed line, and keeps only one at a time. Read as Latin-1: a byte is a character. */
export function searchNames(): { push: (chunk: Uint8Array) => void; end: () => string | undefined } {
  let rest = '';
  let found: string | undefined;
  const look = (line: string): void => {
    const path = OF_A_FILE.exec(line)?.[1];
    if (path === undefined)
      found ??= line === '' ? undefined : 'it has names with line breaks in them, among which a lost one would not show';
    else if (path.split('/').some((name) => name.length >= LOST_NAME)) found ??= `it has a name of ${LOST_NAME} bytes, which dump loses`;
  };
  return {
    push(chunk) {
      const lines = (rest + Buffer.from(chunk).toString('latin1')).split('\n');
      rest = lines.pop() ?? '';
      lines.forEach(look);
      // dump saves no path as long as this.
      if (rest.length > 65_536) [found, rest] = [found ?? 'it has paths of more than 64 KiB', ''];
    },
    end() {
      look(rest);
      return found;
    },
  };
}

async function lostNames({ host, signal }: HandWork, device: string): Promise<string | undefined> {
  const names = searchNames();
  await host.pipeline([{ tool: 'debugfs', args: ['-R', 'filefrag -r /', device] }], { timeoutMs: HOUR_MS, signal, sink: names.push });
  return names.end();
}

/** Numbers of the inodes that are in use: all but those that `dumpe2fs` lists as free. */
export function* usedInodes(text: string): Generator<number> {
  const count = Number(/^Inode count:\s*(\d+)$/m.exec(text)?.[1] ?? 0);
  let next = FIRST_INODE;
  for (const [, ranges = ''] of text.matchAll(/^ {2}Free inodes: (.*)$/gm)) {
    for (const range of ranges.split(', ').filter((each) => each !== '')) {
      const [first = 0, last = first] = range.split('-').map(Number);
      for (; next < first; next += 1) yield next;
      next = Math.max(next, last + 1);
    }
  }
  for (; next <= count; next += 1) yield next;
}

/** A time as debugfs prints it. dump keeps only times from 1970 until 2038; the two lowest bits after the seconds extend a time beyond that. */
const TIME = /^ *[acm]time: 0x([0-9a-f]{8})(?::([0-9a-f]{8}))? /gm;

/** Why dump would spoil one of the files that `stat` of debugfs prints; undefined if none. Text that a tenant wrote into names can only add reasons. */
export function spoiltFile(text: string, fsBytes: number): string | undefined {
  for (const [, size] of text.matchAll(/^User: .* Size: (\d+)$/gm))
    if (Number(size) > fsBytes) return 'it has a file larger than itself, whose holes restore would walk through for hours';
  if (/\(\d+(?:-\d+)?\[u\]\)/.test(text)) return 'it has extents that were never written, of which dump keeps what was deleted there';
  for (const [, seconds = '', extra = '0'] of text.matchAll(TIME))
    if (parseInt(seconds, 16) >= 2 ** 31 || parseInt(extra, 16) % 4 !== 0) return 'it has files with dates before 1970 or after 2038';
  return /^\(New-style\) Device /m.test(text) ? 'it has devices of larger numbers than dump keeps' : undefined;
}

/** A line that debugfs prints beside its answers: its version. */
const CHATTER = /^debugfs \d/;

async function spoiltFiles({ host, signal }: HandWork, device: string, fsBytes: number): Promise<string | undefined> {
  const groups = await host.run('dumpe2fs', [device], { timeoutMs: HOUR_MS, signal });
  const inodes = usedInodes(groups.stdout);
  for (;;) {
    const batch: number[] = [];
    for (let next = inodes.next(); next.done !== true; next = inodes.next()) if (batch.push(next.value) === BATCH) break;
    if (batch.length === 0) return undefined;
    const input = batch.map((inode) => `stat <${inode}>\n`).join('');
    const { stdout, stderr } = await host.run('debugfs', ['-f', '-', device], { timeoutMs: HOUR_MS, signal, input });
    const spoilt = spoiltFile(stdout, fsBytes);
    if (spoilt !== undefined) return spoilt;
    const complaint = stderr.split('\n').find((line) => line !== '' && !CHATTER.test(line));
    if (complaint !== undefined) return `it could not be looked through (debugfs: ${complaint})`;
  }
}
