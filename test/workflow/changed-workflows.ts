/** The workflows as somebody could change them: what `replay.test.ts` bundles in place of `workflows/index.ts`. */
import { patched, sleep } from '@temporalio/workflow';
import { control } from '../../workflows/saga/proxies.ts';
import { guest as guestNow, powerGuest as powerGuestNow } from '../../workflows/index.ts';

// What is exported below by the same name takes the place of what comes from here.
export * from '../../workflows/index.ts';

/** Changed as it must not be: histories that exist have no such step. */
export async function powerGuest(input: Parameters<typeof powerGuestNow>[0]): Promise<void> {
  await control.changeReservation(input.spec);
  return powerGuestNow(input);
}

/** Changed as it must be: histories that exist go on without the pause. */
export async function guest(input: Parameters<typeof guestNow>[0]): Promise<void> {
  if (patched('replay-test-guest-pauses')) await sleep(1_000);
  return guestNow(input);
}
