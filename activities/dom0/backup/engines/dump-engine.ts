/** The engine `dump`: dump(8) of an ext file system; restorable anywhere with restore(8). */
import { GuestflowError } from '../../../../contract/errors.ts';
import { formatSize } from '../../../../contract/sizes.ts';
import { checkedPath } from '../../tools/arguments.ts';
import type { FsInfo } from '../../tools/ext4.ts';
import { packageVersions } from '../../tools/installed.ts';
import type { HandWork } from '../../work.ts';
import type { Container, Engine, Written } from '../port.ts';
import { whyNotDump } from './dump-trust.ts';
import { listDump, mustHaveDumped } from './dump.ts';

export class DumpEngine implements Engine {
  readonly name = 'dump';
  private readonly work: HandWork;

  constructor(work: HandWork) {
    this.work = work;
  }

  async whyNot(device: string, fs: FsInfo): Promise<string | undefined> {
    return await whyNotDump(this.work, device, fs);
  }

  async save(device: string, container: Container): Promise<Written> {
    const source = { tool: 'dump', args: ['-0', '-a', '-f', '-', checkedPath('device', device)] };
    const { stderr, ...written } = await container.pack({ stages: [source] }, (bytes) => {
      this.work.progress(`dumping: ${formatSize(bytes)} written`);
    });
    mustHaveDumped(device, stderr);
    return written;
  }

  /** A dump that restore(8) cannot list is unusable. */
  async check(container: Container, written: Written): Promise<number> {
    const bytes = await container.check(written);
    this.work.progress('listing the dump with restore');
    const names = await listDump(container);
    if (names.length === 0)
      throw new GuestflowError('BackupUnusable', `restore lists no /etc in ${container.title}: it is not the backup of a root file system`);
    return bytes;
  }

  async tools(container: Container): Promise<string[]> {
    return await packageVersions(this.work.host, ['dump', 'e2fsprogs', ...container.packages]);
  }
}
