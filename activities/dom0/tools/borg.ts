/** borg(1): a repository that deduplicates and encrypts, as guestflow uses it: each archive holds one file, which a tool has printed. */
import type { Host } from '../../../system/host.ts';
import { plainText } from '../../../system/plain-text.ts';
import type { PipelineStage } from '../../../system/run.ts';
import { checkedPath, checkedPattern } from './arguments.ts';
import { BorgProcess, type BorgPlace, type Output, type Tools } from './borg-process.ts';
import { addedIn, hearBorg } from './borg-words.ts';

export type { BorgPlace };

/** What is stored of a backup, in borg's own units: chunks of this many bytes are compared with those that are there. */
const CHUNK_BYTES = 128 * 1024;
/** The one file of an archive. */
const FILE = 'root.img';

/**
 * Constant: what differs comes as arguments, the number of words of the first process first, or 0 if there is one only. Prints what they print, and fails if one
 * of them does. What was printed is summed on its way, and the sum goes to the standard error: so it is of what went in, whatever the repository makes of it.
 */
const SUMMED = `set -o pipefail
words=$1
shift
exec 5> >(exec openssl dgst -sha256 -r >&2)
sum=$!
if [ "$words" = 0 ]; then "$@"; else "\${@:1:words}" | "\${@:words+1}"; fi | tee /dev/fd/5
code=$?
exec 5>&-
wait "$sum" || exit 125
exit "$code"`;

/** What `borg create` did. */
export interface Created {
  /** Bytes that the repository did not hold before. */
  readonly addedBytes: number;
  /** Of the content. */
  readonly sha256: string;
}

/** Who is told of a `borg create`. */
export interface OnCreate {
  /** Bytes that were added to the repository so far. */
  readonly onAdded: ((bytes: number) => void) | undefined;
  /** What the processes say whose output it keeps. */
  readonly onStderr: (text: string) => void;
}

/** How far `borg extract` is. */
export type OnExtract = (bytes: number, allBytes: number) => void;

export class Borg {
  readonly place: BorgPlace;
  private readonly work: Tools;
  private readonly process: BorgProcess;

  constructor(work: Tools, place: BorgPlace) {
    this.work = work;
    this.place = place;
    this.process = new BorgProcess(work, place);
  }

  /** The same, of a repository somewhere else. */
  at(repository: string): Borg {
    return new Borg(this.work, { ...this.place, repository });
  }

  /** Makes a repository whose key is in it, encrypted by the passphrase. */
  async init(): Promise<void> {
    await this.process.run('alone', ['init', '--encryption', 'repokey-blake2', '--', this.process.repository()]);
  }

  /** Writes the repository's key to a file, encrypted by the passphrase as it is in the repository. */
  async exportKey(path: string): Promise<void> {
    await this.process.run('alone', ['key', 'export', '--', this.process.repository(), checkedPath('key', path)]);
  }

  /** Names of all archives, in the order in which they were made. */
  async archives(): Promise<string[]> {
    const { stdout } = await this.process.run('alone', ['list', '--short', '--', this.process.repository()]);
    return stdout.split('\n').filter((line) => line !== '');
  }

  /** Makes an archive of what one process prints, or two in a row. If one of them fails, there is no archive. */
  async create(archive: string, stages: readonly PipelineStage[], { onAdded, onStderr }: OnCreate): Promise<Created> {
    let sha256: string | undefined;
    const heard = hearBorg({
      progress: ({ deduplicated_size: added = 0 }) => onAdded?.(added),
      other(line) {
        const sum = /^([0-9a-f]{64}) \*stdin$/.exec(line)?.[1];
        if (sum === undefined) onStderr(`${line}\n`);
        else sha256 = sum;
      },
    });
    const how = ['--checkpoint-interval', '0', '--chunker-params', `fixed,${CHUNK_BYTES}`, '--compression', 'zstd,3'];
    const what = ['--files-cache', 'disabled', '--stdin-name', FILE, '--content-from-command'];
    const command = ['bash', '-c', SUMMED, 'bash', ...commandOf(stages)];
    const all = ['--progress', 'create', '--json', ...how, ...what, '--', this.archive(archive), ...command];
    const report: Uint8Array[] = [];
    await this.process.stream({ use: 'alone', args: all, heard }, { sink: (chunk) => void report.push(chunk) });
    const addedBytes = addedIn(Buffer.concat(report).toString('utf8'));
    if (sha256 === undefined || addedBytes === undefined) throw new Error('borg create ended well, and did not say what it has made');
    return { addedBytes, sha256 };
  }

  /**
   * Gives the content of an archive to a process. What that prints goes to the sink.
   *
   * @param onProgress told the bytes that have come out, and how many there are
   */
  async extract(
    archive: string,
    next: PipelineStage,
    { onProgress, ...output }: Output & { readonly onProgress?: OnExtract },
  ): Promise<void> {
    const heard = hearBorg({ percent: ({ current = 0, total = 0 }) => onProgress?.(current, total) });
    const what = ['--progress', '--bypass-lock', 'extract', '--stdout', '--', this.archive(archive), FILE];
    await this.process.stream({ use: 'reading', args: what, heard, next }, output);
  }

  /** Removes archives. What only they held is removed by `compact`. Those that are not there are passed over. */
  async remove(archives: readonly string[]): Promise<void> {
    const [first = '', ...rest] = archives.map(checkedArchive);
    await this.process.run('alone', ['delete', '--', `${this.process.repository()}::${first}`, ...rest]);
  }

  async compact(): Promise<void> {
    await this.process.run('alone', ['compact', '--', this.process.repository()]);
  }

  private archive(name: string): string {
    return `${this.process.repository()}::${checkedArchive(name)}`;
  }
}

/** The version of the borg that is installed. @throws ToolError */
export async function borgVersion(host: Host): Promise<{ readonly text: string; readonly numbers: readonly number[] }> {
  const { stdout } = await host.run('borg', ['--version']);
  const text = plainText(stdout.trim().replace(/^borg /, ''));
  return { text, numbers: (/^[0-9]+(?:\.[0-9]+)*/.exec(text)?.[0] ?? '').split('.').map(Number) };
}

/** The arguments of SUMMED. */
function commandOf([first, second, third]: readonly PipelineStage[]): string[] {
  if (first === undefined || third !== undefined) throw new Error('an archive is made of what one process prints, or two');
  const words = [first.tool, ...first.args];
  return second === undefined ? ['0', ...words] : [String(words.length), ...words, second.tool, ...second.args];
}

function checkedArchive(name: string): string {
  return checkedPattern('archive', name, /^[0-9A-Za-z][0-9A-Za-z._-]{0,99}$/, 'an archive is letters, digits and . _ -');
}
