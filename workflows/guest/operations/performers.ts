/** The function that performs each operation. */
import type { OperationKind } from '../../../contract/operations.ts';
import type { OperationRequest, OperationResult } from '../../../contract/guest-requests.ts';
import type { GuestAtWork } from '../at-work.ts';
import { performAccess } from './access.ts';
import { performBackup } from './backup.ts';
import { performChangePlan } from './change-plan.ts';
import { performPrune } from './prune.ts';
import { performPower } from './power.ts';
import { performProtect } from './protect.ts';
import { performProve } from './prove.ts';
import { performKeepRestored, performRestore, performUndoRestore } from './restore.ts';
import { performRestoreElsewhere } from './restore-elsewhere.ts';
import { performCleanup } from './removal.ts';
import { performReinstall } from './reinstall.ts';
import { performRescue, performUnrescue } from './rescue.ts';
import { performResize } from './resize.ts';
import { performResume, performSuspend } from './suspend.ts';
import { performTerminate, performUndelete } from './terminate.ts';

export const PERFORMERS: Readonly<Record<OperationKind, (guest: GuestAtWork, request: OperationRequest) => Promise<OperationResult>>> = {
  start: performPower,
  stop: performPower,
  destroy: performPower,
  reboot: performPower,
  backup: performBackup,
  prune: performPrune,
  protect: performProtect,
  unprotect: performProtect,
  prove: performProve,
  restore: performRestore,
  restoreElsewhere: performRestoreElsewhere,
  reinstall: performReinstall,
  rescue: performRescue,
  unrescue: performUnrescue,
  undoRestore: performUndoRestore,
  keepRestored: performKeepRestored,
  suspend: performSuspend,
  resume: performResume,
  changePlan: performChangePlan,
  resize: performResize,
  setPassword: performAccess,
  setKeys: performAccess,
  setHostname: performAccess,
  terminate: performTerminate,
  undelete: performUndelete,
  cleanup: performCleanup,
};
