/** The engine `dump+zstd`: dump(8) of an ext file system, compressed; restorable anywhere with restore(8). */
import { GuestflowError } from '../../../../contract/errors.ts';
import { formatSize } from '../../../../contract/sizes.ts';
import type { FileSink } from '../../../../system/host.ts';
import { fsInfo, replayJournal } from '../../tools/ext4.ts';
import type { Work } from '../../work.ts';
import type { Engine, Saved } from '../port.ts';
import { dumpTo, listDump, unsafeForDump } from './dump.ts';

export class DumpEngine implements Engine {
  readonly name = 'dump+zstd';
  readonly suffix = '.dump.zst';
  private readonly work: Work;

  constructor(work: Work) {
    this.work = work;
  }

  async prepare(device: string): Promise<void> {
    const { host, signal } = this.work;
    // Without this, dump says DUMP IS DONE, exits 0, and misses what the journal held: recently written files, all of them.
    await replayJournal(host, device, { signal });
    const unsafe = unsafeForDump((await fsInfo(host, device)).features);
    if (unsafe !== undefined)
      throw new GuestflowError('BackupUnusable', `dump cannot save the file system on ${device}: ${unsafe}`, {}, false);
  }

  async save(device: string, sink: FileSink): Promise<Saved> {
    const { host, signal } = this.work;
    const onProgress = (bytes: number): void => {
      this.work.progress(`dumping: ${formatSize(bytes)} written`);
    };
    const { bytes, dumpedBytes, sha256 } = await dumpTo(host, sink, { device, signal, onProgress });
    return { bytes, dumpedBytes, sha256 };
  }

  /** A dump that restore cannot even list is none. */
  async check(path: string): Promise<void> {
    this.work.progress('listing the dump with restore');
    const names = await listDump(this.work.host, path, { signal: this.work.signal });
    if (names.length === 0)
      throw new GuestflowError('BackupUnusable', `restore lists no /etc in ${path}: it is not the backup of a root file system`);
  }
}
