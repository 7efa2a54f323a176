/** Which drivers stand behind the ports of a dom0. */
import { Dom0Engines } from './backup/engines/engines.ts';
import { DirectoryRepository } from './backup/repositories/directory.ts';
import { ForeignRepository } from './backup/repositories/foreign.ts';
import type { StepEnv } from './env.ts';
import { ParavirtualGuest } from './guests/paravirtual.ts';
import { LvmThick } from './storage/lvm/thick.ts';
import { LvmThin } from './storage/lvm/thin.ts';
import { XlToolstack } from './toolstack/xl/xl-toolstack.ts';
import type { Work } from './work.ts';

/** The ports of a dom0, for one step's work. */
export function createEnv(work: Work): StepEnv {
  const { thinPool } = work.settings;
  const storage = thinPool === undefined ? new LvmThick(work) : new LvmThin(work, thinPool);
  const toolstack = new XlToolstack(work);
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
