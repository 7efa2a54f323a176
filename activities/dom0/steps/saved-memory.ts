/** The saved memory of a guest around its start and its stop: once its disks are newer, it must never be restored. */
import type { GuestRef } from '../../../contract/guest.ts';
import type { StepEnv } from '../env.ts';
import { domainNameOf, type DomainRef } from '../marks.ts';

/** Milliseconds to wipe a saved state after a boot. If that is not enough, it is wiped when its guest is removed. */
const SAVED_WIPE_LIMIT_MS = 2 * 60_000;

/** Puts it where xendomains does not find it. */
export async function setSavedAside(env: StepEnv, ref: DomainRef): Promise<void> {
  for (const path of await env.toolstack.putSavedAside(ref))
    env.log.warn(
      { guest: ref.name, path },
      `${path} held the memory of ${domainNameOf(ref)} from before: put aside, so that xendomains does not restore it`,
    );
}

/** Wipes the guest's old saved memory. If that fails, the boot has still succeeded. */
export async function wipeSavedQuietly(env: StepEnv, ref: GuestRef): Promise<void> {
  try {
    await env.toolstack.wipeAside(ref, AbortSignal.any([env.signal, AbortSignal.timeout(SAVED_WIPE_LIMIT_MS)]));
  } catch (error) {
    env.signal.throwIfAborted();
    const said = error instanceof Error ? error.message : String(error);
    env.log.warn({ guest: ref.name }, `the former memory of ${ref.name} is wiped with the guest, since it could not be now: ${said}`);
  }
}
