/** Once a day, at a quiet hour of its own, a dom0 has its golden images renewed that are due: so no order waits for that. */
import { setTimeout as sleep } from 'node:timers/promises';
import { createEnv } from '../activities/dom0/drivers.ts';
import { listGolden } from '../activities/dom0/images/golden-next.ts';
import type { StepLog } from '../activities/dom0/work.ts';
import { beginRenewal } from '../client/dom0s/renew.ts';
import type { Caller } from '../client/workflow-calls.ts';
import type { Dom0Settings } from '../order/dom0-settings.ts';
import type { Host } from '../system/host.ts';
import { spread } from '../system/spread.ts';

export interface RenewalOptions {
  readonly client: Caller;
  readonly host: Host;
  readonly settings: Dom0Settings;
  readonly log: StepLog;
  /** Ends it. */
  readonly signal: AbortSignal;
  /** Milliseconds between looks at the clock. Default: 600 000. */
  readonly everyMs?: number;
}

const EVERY_MS = 600_000;
/** When the nights of guests have begun (UTC hour), and over how many minutes dom0s are spread from there on. */
const FROM_HOUR = 5;
const SPREAD_MINUTES = 120;
/** A dom0 that was away at its time makes up for it within so many minutes; later, the next day. */
const LATE_MINUTES = 120;
const DAY_MINUTES = 24 * 60;

/** Whether it is the quiet hour of this dom0. Dom0s are spread by their names: they share a mirror. */
export function isQuietHour(host: string, now: Date): boolean {
  const minutes = now.getUTCHours() * 60 + now.getUTCMinutes() - FROM_HOUR * 60 - spread(host, SPREAD_MINUTES);
  return (minutes + DAY_MINUTES) % DAY_MINUTES < LATE_MINUTES;
}

/** Looks until the signal fires; never fails. Of a day on which nothing is due, Temporal learns nothing. */
export async function renewWhenDue(options: RenewalOptions): Promise<void> {
  const { settings, log, signal, everyMs = EVERY_MS } = options;
  const isOver = (): boolean => signal.aborted;
  let begunOn = '';
  while (!isOver()) {
    const now = new Date();
    const today = now.toISOString().slice(0, 10);
    if (begunOn !== today && isQuietHour(settings.host, now)) {
      try {
        await beginIfDue(options);
        begunOn = today;
      } catch (error) {
        log.warn({ reason: error instanceof Error ? error.message : String(error) }, 'the renewal of golden images could not be begun');
      }
    }
    await sleep(everyMs, undefined, { signal }).catch(() => undefined);
  }
}

async function beginIfDue({ client, host, settings, log, signal }: RenewalOptions): Promise<void> {
  const env = createEnv({ host, settings, signal, log, attempt: 1, progress: () => undefined });
  const due = (await listGolden(env)).filter(({ isDue }) => isDue).map(({ dist }) => dist);
  if (due.length === 0) return;
  await beginRenewal(client, settings.host);
  log.info({ due }, 'golden images are being renewed');
}
