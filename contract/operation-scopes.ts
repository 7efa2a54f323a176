/** Scopes of tokens of `/v1` for operations: each, and what it allows. */
export const OPERATION_SCOPES = {
  'guests:operate': 'start, stop, reboot, suspend and resume guests, pull their plug, and take a termination back',
  'guests:backup': 'take backups, prove that guests can be restored from them, and protect them from retention',
  'guests:restore': 'restore guests from their backups, take a restore back, and give up the disk of before',
  'guests:reinstall': "install guests' systems anew",
  'guests:rescue': 'start guests in a rescue system, and bring them back from it',
  'guests:resize': "change the size of guests' disks",
  'guests:access': 'set the password and the SSH keys of root in guests, and their host names',
  'guests:change-plan': "change guests' plans",
  'guests:terminate': 'terminate guests',
} as const;

export type OperationScope = keyof typeof OPERATION_SCOPES;
