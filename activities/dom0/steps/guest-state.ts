/** What the dom0 keeps of a guest: keys and records. */
import type { GuestRef } from '../../../contract/guest.ts';
import type { StepEnv } from '../env.ts';
import { guestPaths } from '../guest-paths.ts';
import { removeMarkedDirectory } from '../staging.ts';

/** Removes the guest's keys and records on this dom0, and what is left of its saved memory. This is the last removal. */
export async function removeGuestState({ host, settings, toolstack }: StepEnv, ref: GuestRef): Promise<void> {
  await toolstack.wipeSaved(ref);
  await removeMarkedDirectory(host.files, guestPaths(settings, ref.name).state, ref);
}
