/**
 * The engine `blocks`: saves the used blocks of an ext file system, by its own block bitmap, compressed. Unpacked, a backup is an image of the file system
 * with zeros in its free blocks. So the engine need not know what the features of the file system mean.
 */
import { GuestflowError } from '../../../../contract/errors.ts';
import { formatSize } from '../../../../contract/sizes.ts';
import type { FileSink } from '../../../../system/host.ts';
import { lineReader } from '../../../../system/lines.ts';
import { tail } from '../../../../system/run.ts';
import { checkedPath } from '../../tools/arguments.ts';
import { verifyFs, type FsInfo } from '../../tools/ext4.ts';
import { packageVersions } from '../../tools/installed.ts';
import type { HandWork } from '../../work.ts';
import { SUFFIXES, type Engine, type Saved, type Written } from '../port.ts';
import { compressTo, readBack, unpackTo } from './stream.ts';

/** How many of its complaints are kept: a broken disk makes e2image print one for each block. */
const COMPLAINTS = 5;

/** Its progress. Whatever else stands in such a line is a complaint. */
const PROGRESS = /^(?:Cop(?:ying|ied) )?(\d+) \/ (\d+) blocks \(\d+%\)(?: [\d:]+ remaining| in [\d:]+)?(?: at [\d.]+ MB\/s)?$/;

/** How much of an unfinished line is kept. */
const LONGEST_LINE = 1024;

/** What e2image says while it works (`-p`): how far it is, and what it could not do. */
export function listenTo(onProgress: (copied: number, all: number) => void): {
  readonly onStderr: (text: string) => void;
  readonly complaints: () => string[];
} {
  const complaints: string[] = [];
  // It goes back over what it has printed.
  const ends = /[\b\r\n]+/;
  const look = (line: string): void => {
    const words = line.trim();
    const [, copied, all] = PROGRESS.exec(words) ?? [];
    if (copied !== undefined) onProgress(Number(copied), Number(all));
    else if (words !== '' && !/^(e2image \d|Scanning inodes)/.test(words) && complaints.length < COMPLAINTS) complaints.push(words);
  };
  const reader = lineReader(look, { ends, longest: LONGEST_LINE });
  return {
    onStderr: (text) => reader.push(text),
    complaints() {
      reader.end();
      return complaints;
    },
  };
}

function sizeOf({ blocks, blockSize }: FsInfo): number {
  return blocks * blockSize;
}

export class BlocksEngine implements Engine {
  readonly name = 'blocks';
  readonly suffix = SUFFIXES.blocks;
  private readonly work: HandWork;

  constructor(work: HandWork) {
    this.work = work;
  }

  /** Never refuses: a file system that this engine cannot save has failed its check before. */
  whyNot(): Promise<undefined> {
    return Promise.resolve(undefined);
  }

  async save(device: string, sink: FileSink, fs: FsInfo): Promise<Written> {
    let written = 0;
    const said = listenTo((copied, all) => {
      const [read, used] = [copied, all].map((blocks) => formatSize(blocks * fs.blockSize));
      this.work.progress(`saving: ${read ?? ''} of ${used ?? ''} read, ${formatSize(written)} written`, copied / Math.max(all, 1));
    });
    const source = { tool: 'e2image', args: ['-p', '-ra', checkedPath('device', device), '-'], onStderr: said.onStderr };
    const { bytes, sha256 } = await compressTo(this.work, source, sink, {
      contentBytes: sizeOf(fs),
      onWritten: (count) => {
        written = count;
      },
    });
    // e2image (1.47) exits with 0 even if it could not read a block, and writes another block's bytes in its place: so its messages decide.
    const complaints = said.complaints();
    if (complaints.length > 0)
      throw new GuestflowError('BackupUnusable', `e2image could not read all of ${device}: ${tail(complaints.join('\n'), 2)}`);
    return { bytes, sha256 };
  }

  async check(path: string, written: Written, fs?: FsInfo): Promise<number> {
    return await readBack(this.work, path, written, fs && sizeOf(fs));
  }

  readonly restore = async (path: string, saved: Saved, { device, bytes }: { device: string; bytes: number }): Promise<void> => {
    if (bytes < saved.dumpedBytes)
      throw new GuestflowError(
        'InvalidInput',
        `${path} is a file system of ${formatSize(saved.dumpedBytes)}, and ${device} has ${formatSize(bytes)}: ${formatSize(saved.dumpedBytes - bytes)} too little`,
        { field: 'disk' },
      );
    const { work } = this;
    await unpackTo(work, path, saved, device, (done) => {
      work.progress(`restoring: ${formatSize(done)} of ${formatSize(saved.dumpedBytes)}`, done / saved.dumpedBytes);
    });
    await verifyFs(work.host, device, { signal: work.signal });
  };

  async tools(): Promise<string[]> {
    return await packageVersions(this.work.host, ['e2fsprogs', 'zstd']);
  }
}
