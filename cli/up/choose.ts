/** Which dom0 `guestflow up` works on, and whether Temporal's database speaks of that one. */
import { existsSync } from 'node:fs';
import { rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { GuestflowError } from '../../contract/errors.ts';
import { labKind, labRequirements, labStatus } from '../../lab/index.ts';
import type { UpOptions } from '../commands/up.ts';
import type { Io } from '../io.ts';
import { isXenDom0, type UpDom0 } from './dom0.ts';
import type { Stages } from './stages.ts';

type Kind = UpDom0['kind'];

/** Measured on two cores without hardware virtualisation; what is needed is what the lab looks for beforehand. */
const FIRST_RUN = `This is the first run here: it makes a Xen dom0 in QEMU and a guest on it, which takes about ten minutes on two cores, and longer on a busy machine.
It needs 8 GiB of memory, 12 GiB of disk and a source of Debian packages, all of which was looked for. Later runs go on from there.
`;

/** Which dom0 it will be, before anything is changed; a first run of the lab says what lies ahead. */
export async function chooseDom0(options: UpOptions, stateDir: string, io: Io): Promise<Kind> {
  if (options.simulate) return 'simulated';
  if (isXenDom0()) {
    if (options.dom0Here) return 'here';
    throw new GuestflowError('HostNotReady', 'this machine is a Xen dom0: guestflow makes guests on it only with your leave', {
      mend: 'say --dom0-here, or --simulate to look at workflows without Xen',
    });
  }
  if (options.dom0Here)
    throw new GuestflowError(
      'HostNotReady',
      '--dom0-here was said, but this machine is no Xen dom0 (no /proc/xen/capabilities, or no xl)',
      { mend: 'leave it out: the lab is used then' },
    );
  const { problems, isBuilt } = await labRequirements({ stateDir }, labKind(options.release));
  if (problems.length === 0) {
    if (!isBuilt) io.stderr.write(FIRST_RUN);
    return 'lab';
  }
  const rows = problems.map(({ what, why, mend }) => `\n- ${what}: ${why}; ${mend}`).join('');
  throw new GuestflowError('HostNotReady', `the lab cannot run here; nothing was changed:${rows}`, {
    mend: 'mend these, or say --simulate to look at workflows without Xen',
  });
}

/** A database that speaks of guests on a machine that is no more would mislead: it is set aside. */
export async function setStaleDatabaseAside(kind: Kind, stateDir: string, stages: Stages): Promise<void> {
  if (kind === 'simulated') {
    await rm(join(stateDir, 'temporal'), { recursive: true, force: true });
    return;
  }
  if (kind !== 'lab' || !existsSync(join(stateDir, 'temporal', 'temporal.db')) || (await labStatus({ stateDir })).state !== 'absent')
    return;
  const aside = join(stateDir, `temporal.before-${new Date().toISOString().replace(/[-:]|\.\d+/g, '')}`);
  await rename(join(stateDir, 'temporal'), aside);
  stages.note(`the lab is new, Temporal's database is of an earlier one: set aside as ${aside}`);
}
