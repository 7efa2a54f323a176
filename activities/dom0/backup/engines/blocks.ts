/**
 * The engine `blocks`: saves the used blocks of an ext file system, by its own block bitmap, compressed. Unpacked, a backup is an image of the file system
 * with zeros in its free blocks. So the engine need not know what the features of the file system mean.
 */
import { GuestflowError } from '../../../../contract/errors.ts';
import { formatSize } from '../../../../contract/sizes.ts';
import type { FileSink } from '../../../../system/host.ts';
import { tail, ToolError } from '../../../../system/run.ts';
import { verifyFs, type FsInfo } from '../../tools/ext4.ts';
import { packageVersions } from '../../tools/installed.ts';
import { fsBytes, usedBlocks } from '../../tools/used-blocks.ts';
import type { HandWork } from '../../work.ts';
import { SUFFIXES, type Engine, type Saved, type Written } from '../port.ts';
import { compressTo, readBack, unpackTo } from './stream.ts';

export class BlocksEngine implements Engine {
  readonly name = 'blocks';
  readonly suffix = SUFFIXES.blocks;
  private readonly work: HandWork;
  private readonly rate: number;

  /** @param rate how many bytes of a device it reads a second at most, to save them; 0: as fast as it goes */
  constructor(work: HandWork, rate = 0) {
    this.work = work;
    this.rate = rate;
  }

  /** Never refuses: a file system that this engine cannot save has failed its check before. */
  whyNot(): Promise<undefined> {
    return Promise.resolve(undefined);
  }

  async save(device: string, sink: FileSink, fs: FsInfo): Promise<Written> {
    let written = 0;
    const used = (fs.blocks - fs.freeBlocks) * fs.blockSize;
    const source = usedBlocks(
      device,
      fs,
      (read) => {
        this.work.progress(
          `saving: ${formatSize(read)} of ${formatSize(used)} read, ${formatSize(written)} written`,
          read / Math.max(used, 1),
        );
      },
      this.rate,
    );
    try {
      const { bytes, sha256 } = await compressTo(this.work, source.stages, sink, {
        contentBytes: fsBytes(fs),
        onWritten: (count) => {
          written = count;
        },
      });
      return { bytes, sha256 };
    } catch (error) {
      // Whoever reads a stream that ends early fails, too, and says less of the reason.
      const complaints = source.complaints();
      if (!(error instanceof ToolError) || error.cancelled || complaints.length === 0) throw error;
      throw new GuestflowError('BackupUnusable', `${device} could not be read whole: ${tail(complaints.join('\n'), 2)}`);
    }
  }

  async check(path: string, written: Written, fs?: FsInfo): Promise<number> {
    return await readBack(this.work, path, written, fs && fsBytes(fs));
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
