/** Which drivers stand behind the ports of a dom0. */
import { Dom0Engines } from './backup/engines/engines.ts';
import { DirectoryRepository } from './backup/repositories/directory.ts';
import { ForeignRepository } from './backup/repositories/foreign.ts';
import type { StepEnv } from './env.ts';
import { ParavirtualGuest } from './guests/paravirtual.ts';
import { PausedGuest } from './paused-guest.ts';
import { DiskFiles } from './storage/file/files.ts';
import { LvmThick } from './storage/lvm/thick.ts';
import { LvmThin } from './storage/lvm/thin.ts';
import type { Storage } from './storage/port.ts';
import type { Toolstack } from './toolstack/port.ts';
import { XlToolstack } from './toolstack/xl/xl-toolstack.ts';
import type { Work } from './work.ts';

/** Where the dom0's settings have guests' disks lie. */
function storageOf(work: Work, toolstack: Toolstack): Storage {
  const { diskDir, thinPool } = work.settings;
  if (diskDir !== undefined) return new DiskFiles(work, diskDir, new PausedGuest(toolstack));
  return thinPool === undefined ? new LvmThick(work) : new LvmThin(work, thinPool);
}

/** The ports of a dom0, for one step's work. */
export function createEnv(work: Work): StepEnv {
  const toolstack = new XlToolstack(work);
  const storage = storageOf(work, toolstack);
  const paravirtual = new ParavirtualGuest({ ...work, storage });
  const kinds = { pv: paravirtual, pvh: paravirtual };
  return {
    ...work,
    storage,
    toolstack,
    engines: new Dom0Engines(work),
    repository: new DirectoryRepository(work),
    foreign: work.settings.foreignRepositories.map((directory) => new ForeignRepository(work, directory)),
    kindOf: ({ os }) => kinds[os.type],
  };
}
