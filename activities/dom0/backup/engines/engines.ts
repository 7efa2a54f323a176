/** Which engine saves a guest's file system: the one that the dom0's settings ask for, where it can be trusted; else `blocks`. */
import { GuestflowError } from '../../../../contract/errors.ts';
import type { BackupEngine } from '../../../../contract/types.ts';
import { ToolError } from '../../../../system/run.ts';
import { checkFs, fsInfo, preenFs, verifyFs, type FsInfo } from '../../tools/ext4.ts';
import type { Work } from '../../work.ts';
import type { Chosen, Engine, Engines } from '../port.ts';
import { BlocksEngine } from './blocks.ts';
import { DumpEngine } from './dump-engine.ts';

/** A tenant decides how long a look at its file system takes: not a night. */
const CHECK_LIMIT_MS = 60 * 60 * 1000;

export class Dom0Engines implements Engines {
  private readonly work: Work;
  private readonly engines: Readonly<Record<BackupEngine, Engine>>;

  constructor(work: Work) {
    this.work = work;
    this.engines = { blocks: new BlocksEngine(work), dump: new DumpEngine(work) };
  }

  named(name: BackupEngine): Engine {
    return this.engines[name];
  }

  async choose(device: string): Promise<Chosen> {
    const { fs, warnings } = await this.makeSound(device);
    const { backupEngine } = this.work.settings;
    const wanted = this.engines[backupEngine];
    const whyNot = await wanted.whyNot(device, fs);
    if (whyNot === undefined) return { engine: wanted, why: `backupEngine is ${backupEngine}`, fs, warnings };
    const why = `${backupEngine} cannot be trusted with it: ${whyNot}`;
    return { engine: this.engines.blocks, why, fs, warnings: [...warnings, `taken as blocks: ${why}`] };
  }

  /** A snapshot of a guest that runs lacks what only its journal holds, and tools that read it themselves miss that, and say nothing. */
  private async makeSound(device: string): Promise<{ fs: FsInfo; warnings: string[] }> {
    const { host, signal } = this.work;
    const limits = { timeoutMs: CHECK_LIMIT_MS, signal };
    this.work.progress(`checking the file system on ${device}`);
    try {
      // The check takes the record of errors away.
      const { state, errors } = await fsInfo(host, device);
      await preenFs(host, device, limits);
      // Where the journal was all that was wanting it goes no further, and leaves Debian 13's orphan file as it was.
      await verifyFs(host, device, limits).catch(async (error: unknown) => {
        if (!(error instanceof ToolError) || error.code === undefined) throw error;
        await checkFs(host, device, limits);
        await verifyFs(host, device, limits);
      });
      const told =
        errors > 0 || state.includes('errors') ? [`its kernel has found errors in its file system (${errors}; it was ${state})`] : [];
      return { fs: await fsInfo(host, device), warnings: told };
    } catch (error) {
      throw asUnusable(error, device);
    }
  }
}

/** What a check says of a file system does not change by another look. What ended the check from outside is told as it is. */
function asUnusable(error: unknown, device: string): unknown {
  if (!(error instanceof ToolError) || error.cancelled || error.notFound || (error.code === undefined && !error.timedOut)) return error;
  return new GuestflowError('BackupUnusable', `the file system on ${device} cannot be saved: ${error.message}`, {}, false);
}
