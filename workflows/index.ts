/** All workflow types. */
export { guest } from './guest.ts';
export { provisionGuest } from './provision-guest.ts';
export { backupGuest, nightlyBackup, powerGuest, terminateGuest } from './operations.ts';
export { dom0, dom0Task } from './dom0.ts';
