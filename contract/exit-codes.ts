/** Exit codes of guestflow's programs: scripts and systemd's units (`RestartPreventExitStatus=`) go by them. */
import type { ErrorType } from './errors.ts';

/** `reboot`: `dom0 prepare` has done all but boot the host into Xen. */
export const EXIT = { done: 0, failed: 1, badInput: 2, refused: 3, needsCleanup: 4, unreachable: 5, reboot: 6, interrupted: 130 } as const;

/** The exit code for a type of failure. */
export function exitCodeOf(type: ErrorType): number {
  switch (type) {
    case 'InvalidInput':
      return EXIT.badInput;
    case 'NotOurs':
    case 'NoCapacity':
    case 'HostNotReady':
    case 'Busy':
    case 'NotFound':
      return EXIT.refused;
    case 'NeedsCleanup':
      return EXIT.needsCleanup;
    case 'Unreachable':
      return EXIT.unreachable;
    default:
      return EXIT.failed;
  }
}
