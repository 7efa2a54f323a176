/** Counts the traffic of a guest, into a file beside its keys that goes with them. */
import type { DomainRow } from '../../../contract/dom0.ts';
import type { StepEnv } from '../env.ts';
import { guestPaths } from '../guest-paths.ts';
import { isOwner, MARKER_FILE, markerOwner, type Ref } from '../marks.ts';
import { addReading, beginAccount, hasBegunAnew, readAccount, type Account, type Reading } from './account.ts';

type On = Pick<StepEnv, 'host' | 'settings' | 'toolstack'>;

/** If no more than this was counted, the file stays as it was: a guest that hears only its neighbours' broadcasts costs the dom0's disk nothing. */
const WORTH_WRITING = 2 ** 20;

/** The account of a guest; undefined if it has none. */
export async function accountOf({ host, settings }: Pick<On, 'host' | 'settings'>, ref: Ref): Promise<Account | undefined> {
  const { traffic } = guestPaths(settings, ref.name);
  return readAccount(await host.files.read(traffic), ref);
}

/** The account as it would be if it was looked at now. Changes nothing. */
export async function accountNow(on: On, ref: Ref, domain: DomainRow | undefined): Promise<Account | undefined> {
  const account = await accountOf(on, ref);
  return account === undefined || domain === undefined ? account : addReading(account, await read(on, domain));
}

/** Looks at a guest's domain, and begins its account if there is none. @returns undefined when the guest has nothing on this dom0 */
export async function countDomain(on: On, ref: Ref, domain: DomainRow): Promise<Account | undefined> {
  const { state } = guestPaths(on.settings, ref.name);
  if (!isOwner(markerOwner(await on.host.files.read(`${state}/${MARKER_FILE}`)), ref)) return undefined;
  const former = await accountOf(on, ref);
  const reading = await read(on, domain);
  const account = former === undefined ? beginAccount(ref, reading) : addReading(former, reading);
  if (former === undefined || hasBegunAnew(former, account) || sumOf(account) - sumOf(former) >= WORTH_WRITING) await write(on, account);
  return account;
}

/**
 * Looks at a domain that is about to end: its counters end with it. If that fails, the domain ends all the same, and what was not counted is lost.
 */
export async function countLast(env: On & Pick<StepEnv, 'log'>, ref: Ref, domain: DomainRow): Promise<void> {
  try {
    const former = await accountOf(env, ref);
    const account = former === undefined ? undefined : addReading(former, await read(env, domain));
    if (former !== undefined && account !== undefined && sumOf(account) > sumOf(former)) await write(env, account);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    env.log.warn({ guest: ref.name, reason }, `the last traffic of ${ref.name} could not be counted`);
  }
}

/** Two that write at the same time do not mix: the later one leaves an account that is whole, and from which the next look goes on. */
async function write({ host, settings }: On, account: Account): Promise<void> {
  await host.files.writeAtomic(guestPaths(settings, account.guest).traffic, `${JSON.stringify(account)}\n`);
}

/** Domains are numbered anew with each boot of the dom0. */
async function read({ host, toolstack }: On, { id }: DomainRow): Promise<Reading> {
  const boot = (await host.files.read('/proc/sys/kernel/random/boot_id'))?.toString('latin1').trim() ?? '';
  return { domain: `${boot}/${id}`, counters: await toolstack.traffic(id), at: new Date() };
}

function sumOf({ total }: Account): number {
  return total.inBytes + total.outBytes;
}
