/** The operations protect and unprotect: whether retention may remove a backup. */
import { executeChild } from '@temporalio/workflow';
import { defined } from '../../../contract/defined.ts';
import type { BackupRecord } from '../../../contract/backup.ts';
import type { GuestSpec } from '../../../contract/guest.ts';
import type { OperationRequest, OperationResult } from '../../../contract/guest-requests.ts';
import { Operation } from '../../saga/operation.ts';
import { dom0Steps } from '../../saga/proxies.ts';
import { declareVersioning } from '../../saga/versioning.ts';
import { refuse, type GuestAtWork } from '../at-work.ts';
import { refOf } from './shared.ts';

/** Protects a backup, or leaves it to retention again. One that is as it should be is left alone, so that no undo changes it. */
export async function protectBackup(input: {
  readonly spec: GuestSpec;
  readonly isProtected: boolean;
  /** Its id. Default: the last one. */
  readonly backup?: string;
}): Promise<BackupRecord> {
  const { spec, isProtected, backup: wanted } = input;
  const ref = refOf(spec);
  const what = isProtected ? 'protect' : 'unprotect';
  const operation = new Operation(`${what} a backup of **${ref.name}** on ${ref.dom0}`, ['choose', what]);
  const { host, undo } = dom0Steps(ref.dom0, ref.name, operation.onWaiting);
  return operation.run(async () => {
    const chosen = await operation.step(
      'choose',
      async () => chosenOf((await host.listBackups(ref)).backups, wanted),
      [],
      ({ id }) => id,
    );
    if ((chosen.isProtected === true) === isProtected) return chosen;
    const { id } = chosen;
    return operation.step(
      what,
      () => host.setProtected({ ref, id, isProtected }),
      () => undo.setProtected({ ref, id, isProtected: !isProtected }),
    );
  });
}

/** Whatever its state is: one that has become unusable can be left to retention. @param backups oldest first */
function chosenOf(backups: readonly BackupRecord[], wanted: string | undefined): BackupRecord {
  const found = backups.findLast(({ id }) => wanted === undefined || id === wanted);
  if (found !== undefined) return found;
  throw refuse('NotFound', wanted === undefined ? 'the guest has no backup' : `the guest has no backup ${wanted}`, 'backup');
}

export async function performProtect(guest: GuestAtWork, { kind, id, backup: wanted }: OperationRequest): Promise<OperationResult> {
  const { spec } = guest;
  const changed = await guest.runChild(kind, id, (options) =>
    executeChild(protectBackup, { ...options, args: [{ spec, isProtected: kind === 'protect', ...defined({ backup: wanted }) }] }),
  );
  // One that is too old for the guest's list comes into it.
  const others = guest.state.backups.filter((each) => each.id !== changed.id);
  const backups = [...others, changed].sort((a, b) => (a.id < b.id ? -1 : 1));
  guest.state = { ...guest.state, backups };
  return { kind, phase: guest.state.phase, backup: changed };
}

declareVersioning('PINNED', protectBackup);
