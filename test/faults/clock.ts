/** A clock for each case: what waits in it (polls, time limits) passes at once, and nobody else's time does. */
import { AsyncLocalStorage } from 'node:async_hooks';
import { syncBuiltinESMExports } from 'node:module';
import timers from 'node:timers/promises';

/** Milliseconds that a case is ahead of the machine. */
export interface Clock {
  aheadMs: number;
}

/** A wait of a case moves its clock on by this many times its length: eight minutes of polling are a hundred polls. */
const HASTE = 10;
/** Waits as long as this are no polls but "for ever": they stay what they are. */
const FOREVER_MS = 24 * 60 * 60 * 1000;

const clocks = new AsyncLocalStorage<Clock>();
let isInstalled = false;

/** Puts the clocks in the place of Node's. Code outside of `withClock` does not notice. */
export function installClocks(): void {
  if (isInstalled) return;
  isInstalled = true;
  const [sleep, now, performanceNow] = [timers.setTimeout, Date.now, performance.now.bind(performance)];
  const ahead = (): number => clocks.getStore()?.aheadMs ?? 0;
  timers.setTimeout = async (ms = 1, value, options) => {
    const clock = clocks.getStore();
    if (clock === undefined || ms >= FOREVER_MS) return sleep(ms, value, options);
    clock.aheadMs += ms * HASTE;
    return timers.setImmediate(value, options);
  };
  syncBuiltinESMExports();
  Date.now = () => now() + ahead();
  performance.now = () => performanceNow() + ahead();
}

/** Runs something by a case's clock. */
export async function withClock<T>(clock: Clock, work: () => Promise<T>): Promise<T> {
  return clocks.run(clock, work);
}
