/** A guest's disk made anew from the golden root file system, beside the one that it has; and what dom0 knows of a guest after an exchange of disks. */
import type { GuestSpec } from '../../../contract/guest.ts';
import type { StepEnv } from '../env.ts';
import { ensureFromGolden } from './golden-volumes.ts';

/**
 * Makes the spare disk `restored` from the golden root file system, as large as the guest's root disk, and a machine of its own of it, while the guest goes on.
 *
 * @throws NotFound, NoCapacity, ToolFailed
 */
export async function fillReinstalled(env: StepEnv, spec: GuestSpec): Promise<{ readonly bytes: number }> {
  const { storage } = env;
  const { bytes } = await storage.find(spec, 'root');
  await ensureFromGolden(env, spec, { role: 'restored', bytes });
  return { bytes };
}

/**
 * Takes over from the guest's root disk how it is known. The guest must be off.
 *
 * @throws ToolFailed when the disk was just made, and is not as guestflow makes it
 */
export async function recogniseGuest(env: StepEnv, { spec, isJustMade }: { spec: GuestSpec; isJustMade?: true }): Promise<void> {
  const { device } = await env.storage.find(spec, 'root');
  await env.kindOf(spec).recognise(spec, device, isJustMade);
}
