/** All workflow types. */
export { guest } from './guest/guest.ts';
export { provisionGuest } from './guest/recipes/how-to.ts';
export { backupGuest } from './guest/operations/backup.ts';
export { pruneGuest } from './guest/operations/prune.ts';
export { proveBackup } from './guest/operations/prove.ts';
export { keepRestored, restoreGuest, undoRestore } from './guest/operations/restore.ts';
export { changePlan } from './guest/operations/change-plan.ts';
export { powerGuest } from './guest/operations/power.ts';
export { terminateGuest, undeleteGuest } from './guest/operations/terminate.ts';
export { resumeGuest, suspendGuest } from './guest/operations/suspend.ts';
export { removeGuest } from './guest/operations/removal.ts';
export { nightlyBackup } from './backups/nightly.ts';
export { dom0 } from './capacity/dom0.ts';
export { network } from './capacity/network.ts';
export { dom0Task } from './capacity/dom0-task.ts';
export { billingOrder } from './billing/order.ts';
export { holdHostname } from './billing/hold-hostname.ts';
export { notify } from './billing/notify.ts';
