/** Which engine saves a guest's file system: the one that the dom0's settings ask for, where it can be trusted; else `blocks`. */
import { GuestflowError } from '../../../../contract/errors.ts';
import type { BackupEngine } from '../../../../contract/backup.ts';
import { ToolError } from '../../../../system/run.ts';
import { checkFs, fsInfo, preenFs, verifyFs, type FsInfo } from '../../tools/ext4.ts';
import type { HandWork, Work } from '../../work.ts';
import type { Chosen, Engine, Engines, Haste } from '../port.ts';
import { inBackground } from '../background.ts';
import { BlocksEngine } from './blocks.ts';
import { DumpEngine } from './dump-engine.ts';

/** A tenant decides how long the check of its file system takes: this is the limit. */
const CHECK_LIMIT_MS = 60 * 60 * 1000;

/** The engine of this name. @param rate bytes a second, as of `BlocksEngine`; dump knows no bounds */
export function engineNamed(work: HandWork, name: BackupEngine, rate = 0): Engine {
  return name === 'dump' ? new DumpEngine(work) : new BlocksEngine(work, rate);
}

export class Dom0Engines implements Engines {
  private readonly work: Work;
  private readonly background: Work;

  constructor(work: Work) {
    this.work = work;
    this.background = inBackground(work);
  }

  named(name: BackupEngine, haste: Haste = 'in background'): Engine {
    return engineNamed(haste === 'at once' ? this.work : this.background, name, this.work.settings.backupRate);
  }

  async choose(device: string): Promise<Chosen> {
    const { fs, warnings } = await this.makeSound(device);
    const { backupEngine } = this.work.settings;
    const wanted = this.named(backupEngine);
    const whyNot = await wanted.whyNot(device, fs);
    if (whyNot === undefined) return { engine: wanted, why: `backupEngine is ${backupEngine}`, fs, warnings };
    const why = `${backupEngine} cannot be trusted with it: ${whyNot}`;
    return { engine: this.named('blocks'), why, fs, warnings: [...warnings, `taken as blocks: ${why}`] };
  }

  /** Replays the journal of a snapshot, and checks its file system. Tools that read a file system directly miss what is only in its journal, without a word. */
  private async makeSound(device: string): Promise<{ fs: FsInfo; warnings: string[] }> {
    const { host, signal } = this.background;
    const limits = { timeoutMs: CHECK_LIMIT_MS, signal };
    this.work.progress(`checking the file system on ${device}`);
    try {
      // Read before the check, which clears the record of errors.
      const { state, errors } = await fsInfo(host, device);
      await preenFs(host, device, limits);
      // If only the journal had to be replayed, the first check stops there and does not handle Debian 13's orphan file.
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

/** Makes BackupUnusable of a check that failed or took too long: another attempt would find the same. A cancel, a signal or a missing tool stays as it is. */
function asUnusable(error: unknown, device: string): unknown {
  if (!(error instanceof ToolError) || error.cancelled || error.notFound || (error.code === undefined && !error.timedOut)) return error;
  return new GuestflowError('BackupUnusable', `the file system on ${device} cannot be saved: ${error.message}`, {}, false);
}
