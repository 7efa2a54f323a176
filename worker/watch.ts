/** Notices domains that are gone though nobody asked for that, and tells their guests. It waits for the toolstack's word and polls no guest. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Client } from '@temporalio/client';
import type { Host } from '../activities/host/host.ts';
import { listDomains } from '../activities/host/xl.ts';
import { awaitDomainRelease } from '../activities/host/xenstore.ts';
import { cfgOwner, type Owner } from '../activities/marks.ts';
import type { StepLog } from '../activities/step.ts';
import { GUEST_SIGNALS, guestWorkflowId } from '../contract/names.ts';

export interface WatchOptions {
  readonly client: Pick<Client, 'workflow'>;
  readonly host: Host;
  readonly log: StepLog;
  /** Ends it. */
  readonly signal: AbortSignal;
  /** Milliseconds from the word that a domain is gone to the look: a guest that reboots has its next domain by then. Default: 10 000. */
  readonly settleMs?: number;
}

/** Without a word it looks anyway: a word may be missed. */
const LOOK_ANYWAY_MS = 600_000;
/** Where xenstore cannot be watched it looks every minute. */
const WITHOUT_WATCH_MS = 60_000;
/** A guest that is still away is told again after this: it may have been busy. */
const TELL_AGAIN_MS = 3_600_000;

const AUTOSTART = '/etc/xen/auto';

/** Guests of ours that start with their dom0 and have no domain. */
export async function guestsWithoutDomain(host: Host): Promise<Owner[]> {
  const running = new Set((await listDomains(host)).map(({ name }) => name));
  const missing: Owner[] = [];
  for (const file of (await host.files.list(AUTOSTART)).filter((name) => name.endsWith('.cfg'))) {
    const name = file.slice(0, -'.cfg'.length);
    const path = `/etc/xen/${file}`;
    if (running.has(name) || (await host.files.readLink(`${AUTOSTART}/${file}`)) !== path) continue;
    const owner = cfgOwner((await host.files.read(path)) ?? Buffer.alloc(0));
    if (owner?.guest === name) missing.push(owner);
  }
  return missing;
}

/** Watches until the signal fires; never fails. The first look is at once: guests may have gone while no worker ran. */
export async function watchDomains(options: WatchOptions): Promise<void> {
  const { host, log, signal, settleMs = 10_000 } = options;
  const told = new Map<string, number>();
  let canWatch = true;
  const rest = (ms: number): Promise<unknown> => sleep(ms, undefined, { signal }).catch(() => undefined);
  const isOver = (): boolean => signal.aborted;
  await rest(settleMs);
  while (!isOver()) {
    try {
      await tellMissing(options, told);
    } catch (error) {
      log.warn({ reason: messageOf(error) }, 'could not look for guests without a domain');
    }
    try {
      await awaitDomainRelease(host, LOOK_ANYWAY_MS, signal);
      canWatch = true;
      await rest(settleMs);
    } catch (error) {
      if (canWatch && !isOver()) log.warn({ reason: messageOf(error) }, 'xenstore cannot be watched: looking every minute');
      canWatch = false;
      await rest(WITHOUT_WATCH_MS);
    }
  }
}

async function tellMissing({ client, host, log }: WatchOptions, told: Map<string, number>): Promise<void> {
  const missing = await guestsWithoutDomain(host);
  for (const name of [...told.keys()]) if (!missing.some(({ guest }) => guest === name)) told.delete(name);
  for (const { guest, order } of missing) {
    if (Date.now() - (told.get(guest) ?? 0) < TELL_AGAIN_MS) continue;
    told.set(guest, Date.now());
    log.info({ guest }, 'its domain is gone');
    await client.workflow
      .getHandle(guestWorkflowId(guest))
      .signal(GUEST_SIGNALS.domainGone, { order })
      .catch((error: unknown) => {
        log.warn({ guest, reason: messageOf(error) }, 'the guest could not be told that its domain is gone');
      });
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
