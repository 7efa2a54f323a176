/**
 * The engine `blocks`: saves the used blocks of an ext file system, by its own block bitmap. A backup is an image of the file system with zeros in its free
 * blocks. So the engine need not know what the features of the file system mean.
 */
import { GuestflowError } from '../../../../contract/errors.ts';
import { formatSize } from '../../../../contract/sizes.ts';
import { tail, ToolError } from '../../../../system/run.ts';
import { verifyFs, type FsInfo } from '../../tools/ext4.ts';
import { packageVersions } from '../../tools/installed.ts';
import { fsBytes, usedBlocks } from '../../tools/used-blocks.ts';
import type { HandWork } from '../../work.ts';
import type { Container, Disk, Engine, Saved, Written } from '../port.ts';

export class BlocksEngine implements Engine {
  readonly name = 'blocks';
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

  async save(device: string, container: Container, fs: FsInfo): Promise<Written> {
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
      const { bytes, sha256 } = await container.pack({ stages: source.stages, bytes: fsBytes(fs) }, (count) => {
        written = count;
      });
      return { bytes, sha256 };
    } catch (error) {
      // Whoever reads a stream that ends early fails, too, and says less of the reason.
      const complaints = source.complaints();
      if (!(error instanceof ToolError) || error.cancelled || complaints.length === 0) throw error;
      throw new GuestflowError('BackupUnusable', `${device} could not be read whole: ${tail(complaints.join('\n'), 2)}`);
    }
  }

  async check(container: Container, written: Written, fs?: FsInfo): Promise<number> {
    return await container.check(written, fs && fsBytes(fs));
  }

  readonly restore = async (container: Container, saved: Saved, { device, bytes }: Disk): Promise<void> => {
    if (bytes < saved.dumpedBytes)
      throw new GuestflowError(
        'InvalidInput',
        `${container.title} is a file system of ${formatSize(saved.dumpedBytes)}, and ${device} has ${formatSize(bytes)}: ${formatSize(saved.dumpedBytes - bytes)} too little`,
        { field: 'disk' },
      );
    const { work } = this;
    await container.unpackTo(saved, device, (done) => {
      work.progress(`restoring: ${formatSize(done)} of ${formatSize(saved.dumpedBytes)}`, done / saved.dumpedBytes);
    });
    await verifyFs(work.host, device, { signal: work.signal });
  };

  async tools(container: Container): Promise<string[]> {
    return await packageVersions(this.work.host, ['e2fsprogs', ...container.packages]);
  }
}
