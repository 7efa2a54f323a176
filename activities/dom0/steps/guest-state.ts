/** What is kept of a guest on its dom0: keys and records. */
import type { GuestRef } from '../../../contract/types.ts';
import type { StepEnv } from '../env.ts';
import { guestPaths } from '../guest-paths.ts';
import { removeMarkedDirectory } from '../staging.ts';

/** The last of all: keys and records of the guest on this dom0, and what is left of its saved memory. */
export async function removeGuestState({ host, settings, toolstack }: StepEnv, ref: GuestRef): Promise<void> {
  await toolstack.wipeSaved(ref);
  await removeMarkedDirectory(host.files, guestPaths(settings, ref.name).state, ref);
}
