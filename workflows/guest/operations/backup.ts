/** backup. */
import { executeChild } from '@temporalio/workflow';
import { backupPlace } from '../../../contract/backup-place.ts';
import { BACKUP_PRIORITY } from '../../../contract/nights.ts';
import { formatSize } from '../../../contract/sizes.ts';
import type { BackupRecord, GuestSpec, OperationRequest, OperationResult } from '../../../contract/types.ts';
import { Operation } from '../../saga/operation.ts';
import { dom0Steps } from '../../saga/proxies.ts';
import { declareVersioning } from '../../saga/versioning.ts';
import type { GuestAtWork } from '../at-work.ts';
import { refOf } from './shared.ts';

/** Backups kept in the state; older ones are on the dom0, and listed there. */
const BACKUPS_KEPT = 30;

/** One backup, without stopping the guest; its snapshot goes whatever happens. */
export async function backupGuest(spec: GuestSpec): Promise<BackupRecord> {
  const ref = refOf(spec);
  const operation = new Operation(`Backup of **${ref.name}** on ${ref.dom0}`, ['backup']);
  const { bulk, undo } = dom0Steps(ref.dom0, ref.name, operation.onWaiting);
  return operation.run(() =>
    operation.step(
      'backup',
      () => bulk.takeBackup(spec),
      () => undo.undoBackup(ref),
      (backup) => `${backupPlace(backup)}, ${formatSize(backup.bytes)}`,
    ),
  );
}

export async function performBackup(guest: GuestAtWork, { kind, id }: OperationRequest): Promise<OperationResult> {
  const backup = await guest.runChild(kind, id, (options) =>
    executeChild(backupGuest, { ...options, priority: BACKUP_PRIORITY, args: [guest.spec] }),
  );
  guest.state = { ...guest.state, backups: [...guest.state.backups, backup].slice(-BACKUPS_KEPT) };
  return { kind, phase: guest.state.phase, backup };
}

declareVersioning('PINNED', backupGuest);
