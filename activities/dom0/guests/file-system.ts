/** The file system on a guest's disk, while it is not mounted. */
import { checkFs, fsInfo, growFs, leastFsBytes, replayJournal, shrinkFs, verifyFs } from '../tools/ext4.ts';
import type { Work } from '../work.ts';

/** How far a file system goes. */
export interface FsExtent {
  readonly end: number;
  readonly isClean: boolean;
}

export class FileSystem {
  private readonly work: Work;
  private readonly device: string;

  constructor(work: Work, device: string) {
    this.work = work;
    this.device = device;
  }

  /** Mends what is safe to mend. @throws ToolError when errors are left */
  async check(): Promise<void> {
    this.work.progress(`checking the file system on ${this.device}`);
    await checkFs(this.work.host, this.device, { signal: this.work.signal });
  }

  /** Where the file system ends. The journal is replayed first: it may hold that the file system was grown. */
  async extent(): Promise<FsExtent> {
    const { host, signal } = this.work;
    let info = await fsInfo(host, this.device);
    if (info.features.includes('needs_recovery')) {
      await replayJournal(host, this.device, { signal });
      info = await fsInfo(host, this.device);
    }
    return { end: info.blocks * info.blockSize, isClean: info.state === 'clean' };
  }

  /** Grows the file system to the size of its device. Check it first. */
  async grow(): Promise<void> {
    this.work.progress(`growing the file system on ${this.device}`);
    await growFs(this.work.host, this.device, { signal: this.work.signal });
  }

  /** How small it can be made, in bytes, by the estimate of resize2fs. Check it first. */
  async least(): Promise<number> {
    return await leastFsBytes(this.work.host, this.device, { signal: this.work.signal });
  }

  /** Looks through all of it, and changes nothing. @throws ToolError when there is anything to mend */
  async verify(): Promise<void> {
    this.work.progress(`looking through the file system on ${this.device}`);
    await verifyFs(this.work.host, this.device, { signal: this.work.signal });
  }

  /** Shrinks the file system to so many bytes. Check it first. @throws ToolError if its content does not fit */
  async shrink(bytes: number): Promise<void> {
    this.work.progress(`shrinking the file system on ${this.device}`);
    await shrinkFs(this.work.host, this.device, bytes, { signal: this.work.signal });
  }
}
