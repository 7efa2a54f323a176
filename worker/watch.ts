/**
 * Notices domains that have ended by themselves, and tells their guests. It also puts saved states aside that are older than their guests' disks. It
 * waits for events of the toolstack, and polls no guest.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Client } from '@temporalio/client';
import type { Host } from '../system/host.ts';
import { domainEnd } from '../activities/dom0/toolstack/xl/xl-log.ts';
import { awaitDomainChange } from '../activities/dom0/toolstack/xl/xenstore.ts';
import { putStaleAside } from '../activities/dom0/toolstack/xl/stale-states.ts';
import { GuestLocks } from '../activities/dom0/locks.ts';
import { startedWithDom0 } from '../activities/dom0/toolstack/xl/things.ts';
import type { StepLog } from '../activities/dom0/work.ts';
import { signal } from '../client/workflow-calls.ts';
import { defined } from '../contract/defined.ts';
import { GUEST_SIGNALS, guestWorkflowId } from '../contract/names.ts';
import type { DomainGone } from '../contract/guest.ts';

export interface WatchOptions {
  readonly client: Pick<Client, 'workflow'>;
  readonly host: Host;
  /** Name of the dom0. Default: guests are not told which one it is. */
  readonly dom0?: string;
  readonly log: StepLog;
  /** Ends it. */
  readonly signal: AbortSignal;
  /** Throws when this machine may not act as this dom0. Default: it may. */
  readonly mayAct?: () => Promise<void>;
  /** The locks of the steps on this dom0. */
  readonly locks?: GuestLocks;
  /** Milliseconds from the event that a domain is gone to the look: a guest that reboots has its next domain by then. Default: 10 000. */
  readonly settleMs?: number;
  /** Milliseconds between looks where xenstore cannot be watched. Default: 60 000. */
  readonly lookAgainMs?: number;
}

/** It looks at least this often, even without an event: an event may be missed. */
const LOOK_ANYWAY_MS = 600_000;
/** If xenstore cannot be watched, it looks every minute. */
const WITHOUT_WATCH_MS = 60_000;
/** If a domain is still gone after this time, its guest is told again: while an operation runs, a guest ignores it. */
const TELL_AGAIN_MS = 300_000;

/** What was seen before, and who was told when. */
interface Memory {
  readonly told: Map<string, number>;
  /** Ids of domains by guest; undefined before the first look. */
  ids: ReadonlyMap<string, number> | undefined;
}

/** Watches until the signal fires; never fails. The first look is at once: guests may have gone while no worker ran. */
export async function watchDomains(options: WatchOptions): Promise<void> {
  const { host, log, signal, settleMs = 10_000, lookAgainMs = WITHOUT_WATCH_MS } = options;
  const memory: Memory = { told: new Map(), ids: undefined };
  let canWatch = true;
  const rest = (ms: number): Promise<unknown> => sleep(ms, undefined, { signal }).catch(() => undefined);
  const isOver = (): boolean => signal.aborted;
  await rest(settleMs);
  while (!isOver()) {
    // The watch begins before the look, so that it sees what happens during the look. New domains count, too: so they are known before they end.
    const change = awaitDomainChange(host, LOOK_ANYWAY_MS, signal).then(
      () => undefined,
      (error: unknown) => messageOf(error),
    );
    try {
      await tellGuests(options, memory);
    } catch (error) {
      log.warn({ reason: messageOf(error) }, 'could not look for guests without a domain');
    }
    await dropStaleStates({ settleMs, ...options });
    const reason = await change;
    if (reason !== undefined && canWatch && !isOver()) log.warn({ reason }, 'xenstore cannot be watched: looking now and then');
    canWatch = reason === undefined;
    await rest(canWatch ? settleMs : lookAgainMs);
  }
}

/** Puts stale saved states aside: after a boot of the dom0, and whenever a domain comes or goes. */
async function dropStaleStates({
  host,
  log,
  signal,
  mayAct,
  settleMs,
  locks = new GuestLocks(),
}: WatchOptions & { settleMs: number }): Promise<void> {
  try {
    const alone = async (guest: string, work: () => Promise<void>): Promise<void> => {
      await mayAct?.();
      await locks.hold(guest, 'saved states', signal, work);
    };
    for (const path of await putStaleAside(host, { settleMs, signal, alone }))
      log.warn(
        { path },
        `${path} held the memory of a guest from before its last start: put aside, so that xendomains does not restore it`,
      );
  } catch (error) {
    if (!signal.aborted) log.warn({ reason: messageOf(error) }, 'could not look for saved states that are stale');
  }
}

async function tellGuests(options: WatchOptions, memory: Memory): Promise<void> {
  const { host } = options;
  const { running, missing } = await startedWithDom0(host);
  const before = memory.ids;
  memory.ids = new Map(running.map(({ guest, id }) => [guest, id]));
  const { told } = memory;
  for (const name of [...told.keys()]) if (!missing.some(({ guest }) => guest === name)) told.delete(name);
  for (const { guest, order } of missing) {
    if (Date.now() - (told.get(guest) ?? 0) < TELL_AGAIN_MS) continue;
    told.set(guest, Date.now());
    // At the first look it is unknown since when the domain is gone: xl's log may be from before the dom0's last boot.
    const how = before === undefined ? undefined : await domainEnd(host, guest);
    await tell(options, guest, { order, ...(how === undefined ? {} : { how }) });
  }
  for (const { guest, order, id } of running) {
    const former = before?.get(guest);
    if (former === undefined || former === id || (await domainEnd(host, guest)) !== 'crash') continue;
    await tell(options, guest, { order, how: 'crash', isBack: true });
  }
}

async function tell({ client, dom0, log }: WatchOptions, guest: string, what: DomainGone): Promise<void> {
  log.info({ guest, how: what.how }, what.isBack === true ? 'it crashed, and Xen has started it again' : 'its domain is gone');
  await signal(client, guestWorkflowId(guest), GUEST_SIGNALS.domainGone, { ...what, ...defined({ dom0 }) }).catch((error: unknown) => {
    log.warn({ guest, reason: messageOf(error) }, 'the guest could not be told that its domain has ended');
  });
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
