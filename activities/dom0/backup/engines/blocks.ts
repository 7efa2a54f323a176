/**
 * The engine `blocks`: saves the used blocks of an ext file system, by its own block bitmap, compressed. Unpacked, a backup is an image of the file system
 * with zeros in its free blocks. So the engine need not know what the features of the file system mean.
 */
import { GuestflowError } from '../../../../contract/errors.ts';
import { formatSize } from '../../../../contract/sizes.ts';
import type { FileSink } from '../../../../system/host.ts';
import { tail } from '../../../../system/run.ts';
import { checkedPath } from '../../tools/arguments.ts';
import { verifyFs } from '../../tools/ext4.ts';
import { packageVersions } from '../../tools/installed.ts';
import type { Work } from '../../work.ts';
import type { Engine, Saved } from '../port.ts';
import { compressTo, readBack, sumOf, unpackTo } from './stream.ts';

/** The command that prints the used blocks of a file system. */
function imageOf(device: string): { tool: string; args: string[] } {
  return { tool: 'e2image', args: ['-ra', checkedPath('device', device), '-'] };
}

/** e2image (1.47) exits with 0 even if it could not read a block, and writes another block's bytes in its place: so its messages decide. */
function mustHaveReadAll(device: string, stderr: string): void {
  const complaints = stderr.split('\n').filter((line) => line !== '' && !/^e2image \d/.test(line));
  if (complaints.length > 0)
    throw new GuestflowError('BackupUnusable', `e2image could not read all of ${device}: ${tail(complaints.join('\n'), 2)}`);
}

export class BlocksEngine implements Engine {
  readonly name = 'blocks';
  readonly suffix = '.img.zst';
  private readonly work: Work;

  constructor(work: Work) {
    this.work = work;
  }

  /** Never refuses: a file system that this engine cannot save has failed its check before. */
  whyNot(): Promise<undefined> {
    return Promise.resolve(undefined);
  }

  async save(device: string, sink: FileSink, expectedBytes?: number): Promise<Saved> {
    const of = expectedBytes === undefined ? '' : ` of ${formatSize(expectedBytes)}`;
    const { stderr, ...saved } = await compressTo(this.work, imageOf(device), sink, (read, written) =>
      this.work.progress(
        `saving: ${formatSize(read)}${of} read, ${formatSize(written)} written`,
        expectedBytes === undefined ? undefined : read / expectedBytes,
      ),
    );
    mustHaveReadAll(device, stderr);
    return saved;
  }

  async check(path: string, saved: Saved): Promise<void> {
    await readBack(this.work, path, saved);
  }

  readonly restore = async (path: string, saved: Saved, { device, bytes }: { device: string; bytes: number }): Promise<void> => {
    if (bytes < saved.dumpedBytes)
      throw new GuestflowError(
        'InvalidInput',
        `${path} is a file system of ${formatSize(saved.dumpedBytes)}, and ${device} has ${formatSize(bytes)}: ${formatSize(saved.dumpedBytes - bytes)} too little`,
        { field: 'disk' },
      );
    const { work } = this;
    await unpackTo(work, path, saved, device, (done) =>
      work.progress(`restoring: ${formatSize(done)} of ${formatSize(saved.dumpedBytes)}`, done / saved.dumpedBytes),
    );
    work.progress(`comparing ${device} with what was saved`);
    await verifyFs(work.host, device, { signal: work.signal });
    const { sha256, stderr } = await sumOf(work, imageOf(device));
    mustHaveReadAll(device, stderr);
    if (sha256 !== saved.streamSha256)
      throw new GuestflowError('BackupUnusable', `what was restored to ${device} is not what was saved: its sum is ${sha256}`);
  };

  async tools(): Promise<string[]> {
    return await packageVersions(this.work.host, ['e2fsprogs', 'zstd']);
  }
}
