/** Sets the disks of a terminated guest aside, whole, for its grace period; and brings them back (promise 9). */
import type { GuestRef } from '../../../contract/guest.ts';
import type { StepEnv } from '../env.ts';

const DISKS = ['root', 'swap'] as const;

export async function setAsideVolumes({ storage, toolstack }: StepEnv, ref: GuestRef): Promise<void> {
  await toolstack.mustBeOff(ref.name);
  // Found out now, not when the grace period is over and the disks must be removed.
  await storage.mustBeReleasable(ref);
  await storage.dropSnapshot(ref);
  await storage.setAside(ref, DISKS);
}

/** Undo of `setAsideVolumes`. */
export async function bringBackVolumes({ storage }: StepEnv, ref: GuestRef): Promise<void> {
  await storage.bringBack(ref, DISKS);
}
