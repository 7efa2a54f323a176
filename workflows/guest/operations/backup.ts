/** The operation backup. */
import { executeChild, isCancellation, log } from '@temporalio/workflow';
import { backupPlace } from '../../../contract/backup-place.ts';
import { defined } from '../../../contract/defined.ts';
import { BACKUP_PRIORITY } from '../../../contract/nights.ts';
import { formatSize } from '../../../contract/sizes.ts';
import type { BackupRecord, Pruned } from '../../../contract/backup.ts';
import type { GuestSpec } from '../../../contract/guest.ts';
import type { OperationRequest, OperationResult } from '../../../contract/guest-requests.ts';
import { pruneStep } from '../../backups/prune.ts';
import { Operation, rootFailure } from '../../saga/operation.ts';
import { dom0Steps } from '../../saga/proxies.ts';
import { declareVersioning } from '../../saga/versioning.ts';
import type { GuestAtWork } from '../at-work.ts';
import { withoutFirstBackupDue } from '../first-backup.ts';
import { forget } from './prune.ts';
import { refOf } from './shared.ts';

/** How many backups the guest's state lists. Older ones are on the dom0, which lists them all. */
const BACKUPS_KEPT = 30;

/** What came of a backup. */
export interface BackupDone {
  readonly backup: BackupRecord;
  /** Undefined: the prune failed; the next backup prunes. */
  readonly pruned?: Pruned;
}

/** Takes one backup while the guest runs, and removes its snapshot in any case. Then it prunes older backups; if that fails, the backup has still succeeded. */
export async function backupGuest(spec: GuestSpec): Promise<BackupDone> {
  const ref = refOf(spec);
  const operation = new Operation(`Backup of **${ref.name}** on ${ref.dom0}`, ['backup', 'prune']);
  const { host, bulk, undo } = dom0Steps(ref.dom0, ref.name, operation.onWaiting);
  return operation.run(async () => {
    const backup = await operation.step(
      'backup',
      () => bulk.takeBackup(spec),
      () => undo.undoBackup(ref),
      (taken) => `${backupPlace(taken)}, ${formatSize(taken.bytes)}, ${taken.state}`,
    );
    const pruned = await pruneStep(operation, host, spec).catch((error: unknown) => {
      if (isCancellation(error)) throw error;
      log.warn('backups were not pruned', { guest: ref.name, reason: rootFailure(error).message });
      return undefined;
    });
    return { backup, ...defined({ pruned }) };
  });
}

/** A guest's list with one more backup. Of those before the last ones the protected ones stay in it. */
export function withNewest(backups: readonly BackupRecord[], newest: BackupRecord): BackupRecord[] {
  const all = [...backups, newest];
  return all.filter(({ isProtected }, index) => isProtected === true || index >= all.length - BACKUPS_KEPT);
}

/** Adds a backup to the guest's list. */
export function keepBackup(guest: GuestAtWork, backup: BackupRecord): void {
  guest.state = withoutFirstBackupDue({ ...guest.state, backups: withNewest(guest.state.backups, backup) });
}

export async function performBackup(guest: GuestAtWork, { kind, id }: OperationRequest): Promise<OperationResult> {
  const { backup, pruned } = await guest.runChild(kind, id, (options) =>
    executeChild(backupGuest, { ...options, priority: BACKUP_PRIORITY, args: [guest.spec] }),
  );
  keepBackup(guest, backup);
  if (pruned !== undefined) forget(guest, pruned);
  return { kind, phase: guest.state.phase, backup, ...defined({ pruned }) };
}

declareVersioning('PINNED', backupGuest);
