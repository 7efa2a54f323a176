/** autostart: the guest starts with its dom0 (row 12 of the how-to). */
import type { GuestRef } from '../../../contract/guest.ts';
import type { StepEnv } from '../env.ts';

export async function enableAutostart({ toolstack }: StepEnv, ref: GuestRef): Promise<{ link: string }> {
  return { link: await toolstack.enableAutostart(ref.name) };
}

/** Undo of autostart. */
export async function disableAutostart({ toolstack }: StepEnv, ref: GuestRef): Promise<void> {
  await toolstack.disableAutostart(ref);
}
