/** Counts the traffic of the guests on a dom0, each minute: the counters of a domain end with it. */
import { setTimeout as sleep } from 'node:timers/promises';
import { createEnv } from '../activities/dom0/drivers.ts';
import type { StepEnv } from '../activities/dom0/env.ts';
import type { Account } from '../activities/dom0/traffic/account.ts';
import { accountOf, countDomain } from '../activities/dom0/traffic/count.ts';
import { isOwner, MARKER_FILE, markerOwner } from '../activities/dom0/marks.ts';
import type { StepLog } from '../activities/dom0/work.ts';
import type { DomainRow } from '../contract/dom0.ts';
import { distOfTrial } from '../contract/golden.ts';
import type { Dom0Settings } from '../order/dom0-settings.ts';
import type { Host } from '../system/host.ts';

export interface TrafficOptions {
  readonly host: Host;
  readonly settings: Dom0Settings;
  readonly log: StepLog;
  /** Ends it. */
  readonly signal: AbortSignal;
  /** Told after each look: the accounts of all guests on this dom0, those that are off among them. */
  readonly onCounted?: ((accounts: readonly Account[]) => void) | undefined;
  /** Milliseconds between looks. Default: 60 000. */
  readonly everyMs?: number;
}

const EVERY_MS = 60_000;

/** Counts until the signal fires; never fails. What could not be counted once is counted at the next look, if its domain is still there. */
export async function countTraffic(options: TrafficOptions): Promise<void> {
  const { host, settings, log, signal, onCounted, everyMs = EVERY_MS } = options;
  const env = createEnv({ host, settings, signal, log, attempt: 1, progress: () => undefined });
  const isOver = (): boolean => signal.aborted;
  let told = '';
  while (!isOver()) {
    const { accounts, reason } = await look(env);
    // A disk that is full would fill the log, too.
    if (reason !== '' && reason !== told && !isOver()) log.warn({ reason }, 'the traffic of guests could not be counted');
    told = reason;
    onCounted?.(accounts);
    await sleep(everyMs, undefined, { signal }).catch(() => undefined);
  }
}

/** @returns what was counted, and why something was not: '' if all was */
async function look(env: StepEnv): Promise<{ accounts: Account[]; reason: string }> {
  const accounts: Account[] = [];
  let reason = '';
  try {
    const domains = new Map((await env.toolstack.domains()).map((domain) => [domain.name, domain]));
    for (const name of await env.host.files.list(`${env.settings.stateDir}/guests`)) {
      // Of a golden image's trial nobody asks, and it has no network.
      if (distOfTrial(name) !== undefined) continue;
      try {
        const account = await count(env, name, domains.get(name));
        if (account !== undefined) accounts.push(account);
      } catch (error) {
        reason = messageOf(error);
      }
    }
  } catch (error) {
    reason = messageOf(error);
  }
  return { accounts, reason };
}

/** A guest is known by its directory; the domain of its name is its own if the cfg says the same order. */
async function count(env: StepEnv, name: string, domain: DomainRow | undefined): Promise<Account | undefined> {
  const owner = markerOwner(await env.host.files.read(`${env.settings.stateDir}/guests/${name}/${MARKER_FILE}`));
  if (owner?.guest !== name) return undefined;
  const ref = { name, order: owner.order };
  const isOurs = domain !== undefined && isOwner((await env.toolstack.readCfg(name))?.owner, ref);
  return isOurs ? await countDomain(env, ref, domain) : await accountOf(env, ref);
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
