/** Updates that were lost on their way: Temporal gives one up whose worker went, or began anew, while it had it. Nobody has looked at it. */
import { setTimeout as sleep } from 'node:timers/promises';
import { isLostUpdate } from '../contract/errors.ts';

const TRIES = 5;
const FIRST_PAUSE_MS = 200;

/** Sends an update, and sends it again, up to five times in all, when it was lost. */
export async function untilTaken<T>(send: () => Promise<T>): Promise<T> {
  for (let tried = 1; ; tried += 1) {
    try {
      return await send();
    } catch (error) {
      if (tried === TRIES || !isLostUpdate(error)) throw error;
      await sleep(FIRST_PAUSE_MS * 2 ** (tried - 1));
    }
  }
}
