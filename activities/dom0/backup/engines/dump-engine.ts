/** The engine `dump`: dump(8) of an ext file system, compressed; restorable anywhere with restore(8). */
import { GuestflowError } from '../../../../contract/errors.ts';
import { formatSize } from '../../../../contract/sizes.ts';
import type { FileSink } from '../../../../system/host.ts';
import { checkedPath } from '../../tools/arguments.ts';
import type { FsInfo } from '../../tools/ext4.ts';
import { packageVersions } from '../../tools/installed.ts';
import type { HandWork } from '../../work.ts';
import { SUFFIXES, type Engine, type Written } from '../port.ts';
import { whyNotDump } from './dump-trust.ts';
import { listDump, mustHaveDumped } from './dump.ts';
import { compressTo, readBack } from './stream.ts';

export class DumpEngine implements Engine {
  readonly name = 'dump';
  readonly suffix = SUFFIXES.dump;
  private readonly work: HandWork;

  constructor(work: HandWork) {
    this.work = work;
  }

  async whyNot(device: string, fs: FsInfo): Promise<string | undefined> {
    return await whyNotDump(this.work, device, fs);
  }

  async save(device: string, sink: FileSink): Promise<Written> {
    const source = { tool: 'dump', args: ['-0', '-a', '-f', '-', checkedPath('device', device)] };
    const { stderr, ...written } = await compressTo(this.work, [source], sink, {
      onWritten: (bytes) => {
        this.work.progress(`dumping: ${formatSize(bytes)} written`);
      },
    });
    mustHaveDumped(device, stderr);
    return written;
  }

  /** A dump that restore(8) cannot list is unusable. */
  async check(path: string, written: Written): Promise<number> {
    const bytes = await readBack(this.work, path, written);
    this.work.progress('listing the dump with restore');
    const names = await listDump(this.work.host, path, { signal: this.work.signal });
    if (names.length === 0)
      throw new GuestflowError('BackupUnusable', `restore lists no /etc in ${path}: it is not the backup of a root file system`);
    return bytes;
  }

  async tools(): Promise<string[]> {
    return await packageVersions(this.work.host, ['dump', 'e2fsprogs', 'zstd']);
  }
}
