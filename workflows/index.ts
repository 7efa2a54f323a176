/** All workflow types. */
export { guest } from './guest.ts';
export { provisionGuest } from './provision-guest.ts';
export { backupGuest, changePlan, powerGuest, resumeGuest, retireGuest, reviveGuest, suspendGuest, terminateGuest } from './operations.ts';
export { nightlyBackup } from './nightly.ts';
export { dom0 } from './dom0.ts';
export { network } from './network.ts';
export { dom0Task } from './dom0-task.ts';
export { billingOrder } from './billing-order.ts';
export { holdHostname } from './hold-hostname.ts';
export { notify } from './notify.ts';
