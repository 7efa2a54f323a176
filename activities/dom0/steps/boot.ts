/** boot: the guest is up when it answers, not when its domain exists (row 9 of the how-to). */
import { setTimeout as sleep } from 'node:timers/promises';
import type { BootResult, DomainRow, GuestRef, GuestSpec } from '../../../contract/types.ts';
import { GuestflowError } from '../../../contract/errors.ts';
import { guestRun, hostKeyAnswers } from '../tools/guest-ssh.ts';
import { ToolError } from '../../../system/run.ts';
import {
  awaitGone,
  consoleTail,
  createDomain,
  destroyDomain,
  findDomain,
  pauseDomain,
  shutdownDomain,
  unpauseDomain,
} from '../toolstack/xl/xl.ts';
import { guestPaths } from '../guest-paths.ts';
import { cfgOwner, mustOwn } from '../marks.ts';
import { putSavedAside, wipeAsides } from '../toolstack/xl/saved-states.ts';
import type { StepEnv } from '../step.ts';

/** How long a guest has for its boot. Generous: a dom0 under emulation takes over a minute. */
const ANSWER_LIMIT_MS = 8 * 60_000;
/**
 * A sealed guest is its tenant's, who may have moved sshd, closed its port or made new host keys: that it does not answer says nothing about it.
 * A domain that has been up for so long counts as started. One that cannot boot has ended by then, or has started again and again.
 */
const SEALED_UP_MS = 2 * 60_000;
/** A guest is asked so often to shut down, with this long after each, before it is switched off. */
const SHUTDOWN_ASKS = 3;
const SHUTDOWN_AGAIN_MS = 60_000;
const GONE_LIMIT_MS = 2 * 60_000;
/** A domain that xl could not destroy, because it was ending already (by its `on_crash`), has gone after this long. */
const ENDING_LIMIT_MS = 20_000;
/** A saved state that has not been wiped after this long, in milliseconds, is wiped with its guest. */
const SAVED_WIPE_LIMIT_MS = 2 * 60_000;
const POLL_MS = 500;
/** An installer's first boot may restart a guest once or twice; one that does it more often will not answer. */
const MOST_RESTARTS = 3;

/** Asked of a guest over the bridge: answering it is "booted". */
export const HELLO_SCRIPT = 'uname -r; findmnt -n -o SOURCE /; df -B1 --output=size / | tail -n 1';

/** What a guest says when it is asked; undefined: nothing yet. */
type Answer = { readonly kernel: string; readonly rootDevice: string } | undefined;
type Ask = (env: StepEnv, ref: GuestRef, ip: string) => Promise<Answer>;

async function sayHello(env: StepEnv, ref: GuestRef, ip: string): Promise<Answer> {
  const paths = guestPaths(env.settings, ref.name);
  try {
    const { stdout } = await guestRun(env.host, {
      ip,
      keyPath: paths.provisionKey,
      knownHosts: paths.knownHosts,
      command: HELLO_SCRIPT,
      timeoutMs: 30_000,
      signal: env.signal,
    });
    const [kernel = '', rootDevice = ''] = stdout.trim().split('\n');
    return { kernel, rootDevice };
  } catch (error) {
    if (error instanceof GuestflowError && error.type === 'GuestDidNotAnswer') return undefined;
    throw error;
  }
}

/** A sealed guest has no key of ours any more; that sshd shows the guest's own host key is its answer. */
async function showsItsKey(env: StepEnv, ref: GuestRef, ip: string): Promise<Answer> {
  const known = (await env.host.files.read(guestPaths(env.settings, ref.name).knownHosts))?.toString('utf8').trim() ?? '';
  return (await hostKeyAnswers(env.host, ip, known.split(' ').slice(1, 3).join(' '))) ? { kernel: '', rootDevice: '' } : undefined;
}

/** What is waited for, and what it means when it does not come. */
interface Awaited {
  readonly ask: Ask;
  /** It is its tenant's, and need not answer. */
  readonly isSealed: boolean;
  /** It was this attempt that started it. In one that ran before somebody may be at work, whatever it says to us. */
  readonly isStartedHere: boolean;
}

/** What a guest said; or, of a sealed one that says nothing, why it counts as started. */
type Started = NonNullable<Answer> & Pick<BootResult, 'warning'>;

async function awaitAnswer(env: StepEnv, ref: GuestRef, ip: string, { ask, isSealed, isStartedHere }: Awaited): Promise<Started> {
  const started = Date.now();
  const seen = new Set<number>();
  let up: Up | undefined;
  for (;;) {
    const answer = await ask(env, ref, ip);
    if (answer !== undefined) return answer;
    const seconds = Math.round((Date.now() - started) / 1000);
    const domain = await findDomain(env.host, ref.name);
    if (domain === undefined || domain.state.includes('c'))
      return notAnswering(env, ref, `stopped ${String(seconds)} s after it was started`, isStartedHere);
    seen.add(domain.id);
    if (seen.size > MOST_RESTARTS + 1)
      return notAnswering(env, ref, `restarted ${String(seen.size - 1)} times in ${String(seconds)} s without answering`, isStartedHere);
    up = stillUp(up, domain);
    if (isSealed && up !== undefined && Date.now() - up.since >= SEALED_UP_MS) return startedSilently(env, ref, ip, up);
    if (Date.now() - started > ANSWER_LIMIT_MS)
      return notAnswering(env, ref, `did not answer at ${ip} within ${String(seconds)} s`, isStartedHere && !isSealed);
    env.progress(`waiting for ${ref.name} to answer at ${ip} (${String(seconds)} s)`);
    await sleep(POLL_MS, undefined, { signal: env.signal });
  }
}

/** A domain that has been seen without a break since then, neither paused nor on its way out. */
interface Up {
  readonly id: number;
  readonly since: number;
}

function stillUp(before: Up | undefined, { id, state }: DomainRow): Up | undefined {
  if (/[psdc]/.test(state)) return undefined;
  return before?.id === id ? before : { id, since: Date.now() };
}

function startedSilently(env: StepEnv, ref: GuestRef, ip: string, { id, since }: Up): Started {
  const seconds = String(Math.round((Date.now() - since) / 1000));
  const warning = `${ref.name} is sealed and has not shown its first host key at ${ip}; it counts as started, since its domain ${String(id)} has been up for ${seconds} s`;
  env.log.warn({ guest: ref.name }, warning);
  return { kernel: '', rootDevice: '', warning };
}

/** @param mayEnd whether its domain is switched off, so that the next attempt, or the undo, starts from a dom0 without it */
async function notAnswering(env: StepEnv, ref: GuestRef, what: string, mayEnd: boolean): Promise<never> {
  const console = await consoleTail(env.host, ref.name);
  const domain = await findDomain(env.host, ref.name);
  if (domain !== undefined && (mayEnd || isHalfMade(domain))) {
    // Where that fails, they try again: what must be told is this.
    await switchOff(env, ref.name, domain.id).catch((error: unknown) => {
      env.log.warn(
        { guest: ref.name },
        `the domain that does not answer could not be switched off: ${error instanceof Error ? error.message : String(error)}`,
      );
    });
  }
  throw new GuestflowError(
    'GuestDidNotAnswer',
    `guest ${ref.name} ${what}. The end of its console:\n${console === '' ? '(empty)' : console}`,
    { console },
  );
}

/** Paused, and never let run: its xl create was cut off. Nobody works in it, and nobody else ends it. */
function isHalfMade({ state, cpuSeconds }: DomainRow): boolean {
  return state.includes('p') && cpuSeconds === 0;
}

/** Starts the domain unless it runs, and waits for the guest's answer; of a sealed one, which need not answer, that it stays up. */
export async function bootGuest(env: StepEnv, spec: GuestSpec): Promise<BootResult> {
  const sealed = (await env.host.files.info(guestPaths(env.settings, spec.name).provisionKey)) === undefined;
  return start(env, spec, { ask: sealed ? showsItsKey : sayHello, isSealed: sealed });
}

/**
 * For a step that works in the guest: starts one that has gone off since it was booted (its dom0 lost power), and waits for one that is still
 * starting. Its host key is answer enough, since an attempt that was cut short may have sealed it; but an answer there must be.
 */
export async function mustBeUp(env: StepEnv, spec: GuestSpec): Promise<void> {
  await start(env, spec, { ask: showsItsKey, isSealed: false });
}

async function start(env: StepEnv, spec: GuestSpec, awaited: Omit<Awaited, 'isStartedHere'>): Promise<BootResult> {
  const paths = guestPaths(env.settings, spec.name);
  const cfg = await env.host.files.read(paths.cfg);
  if (cfg === undefined) throw new GuestflowError('NotFound', `${paths.cfg} is missing: ${spec.name} cannot be started`);
  mustOwn(cfgOwner(cfg), spec, paths.cfg);
  const started = Date.now();
  // What is on its way out still holds memory and disks, and its name.
  const there = await findDomain(env.host, spec.name);
  if (there !== undefined && /[dsc]/.test(there.state)) {
    if (there.state.includes('c')) await switchOff(env, spec.name, there.id);
    else await mustBeGone(env, spec.name, there.id);
  }
  // From now on its disks are newer than a memory that xendomains has saved: that must never run again.
  await setSavedAside(env, spec);
  const isStartedHere = (await findDomain(env.host, spec.name)) === undefined;
  if (isStartedHere) {
    env.progress(`xl create ${spec.name}`);
    await createDomain(env.host, paths.cfg, { timeoutMs: 5 * 60_000, signal: env.signal });
  }
  const answer = await awaitAnswer(env, spec, spec.network.ip, { ...awaited, isStartedHere });
  await wipeSavedQuietly(env, spec);
  const domain = await findDomain(env.host, spec.name);
  return { domainId: domain?.id ?? -1, seconds: Math.round((Date.now() - started) / 100) / 10, ...answer };
}

async function setSavedAside(env: StepEnv, ref: GuestRef): Promise<void> {
  for (const path of await putSavedAside(env.host, ref))
    env.log.warn(
      { guest: ref.name, path },
      `${path} held the memory of ${ref.name} from before: put aside, so that xendomains does not restore it`,
    );
}

/** The guest runs from its disks: what its memory was once is of no use to anybody. That it could not be wiped yet is no failure of its boot. */
async function wipeSavedQuietly(env: StepEnv, ref: GuestRef): Promise<void> {
  try {
    await wipeAsides(env.host, ref, { signal: AbortSignal.any([env.signal, AbortSignal.timeout(SAVED_WIPE_LIMIT_MS)]) });
  } catch (error) {
    env.signal.throwIfAborted();
    const said = error instanceof Error ? error.message : String(error);
    env.log.warn({ guest: ref.name }, `the former memory of ${ref.name} is wiped with the guest, since it could not be now: ${said}`);
  }
}

/** `id`: a dying domain has often lost its name. */
async function mustBeGone(env: StepEnv, name: string, id: number): Promise<void> {
  if (await awaitGone(env.host, name, GONE_LIMIT_MS, env.signal, id)) return;
  throw new GuestflowError('ToolFailed', `domain ${name} is still in xl list ${String(GONE_LIMIT_MS / 1000)} s after it was told to end`);
}

/** Shuts the guest down and waits until it has gone; one that does not listen is switched off. */
export async function stopGuest(env: StepEnv, ref: GuestRef): Promise<{ how: 'was off' | 'shut down' | 'switched off' }> {
  const domain = await ownDomain(env, ref);
  // One that is to be off does not come back by what xendomains has saved of it.
  await setSavedAside(env, ref);
  if (domain === undefined) return { how: 'was off' };
  // One that is paused does not hear.
  if (domain.state.includes('p')) await unpauseDomain(env.host, domain.id);
  env.progress(`xl shutdown ${ref.name}`);
  for (let asked = 1; asked <= SHUTDOWN_ASKS; asked += 1) {
    // Asked again: a guest early in its boot does not hear the first time, and xl itself may fail once.
    const patienceMs = (await askToShutDown(env, domain.id)) ? SHUTDOWN_AGAIN_MS : POLL_MS;
    if (await awaitGone(env.host, ref.name, patienceMs, env.signal, domain.id)) return { how: 'shut down' };
  }
  await destroyGuest(env, ref);
  return { how: 'switched off' };
}

/** Has the guest stand still, with its memory as it is. One that is off stays so. */
export async function pauseGuest(env: StepEnv, ref: GuestRef): Promise<void> {
  const domain = await ownDomain(env, ref);
  await setSavedAside(env, ref);
  if (domain === undefined || domain.state.includes('p')) return;
  await pauseDomain(env.host, domain.id);
  // xl ends well whether or not there was such a domain.
  const after = await findDomain(env.host, ref.name);
  if (after !== undefined && !after.state.includes('p'))
    throw new GuestflowError('ToolFailed', `domain ${ref.name} is not paused after xl pause: xl list says "${after.state}"`);
}

/** Undo of `pauseGuest`. Not for a domain that xl is still making, which looks the same. */
export async function unpauseGuest(env: StepEnv, ref: GuestRef): Promise<void> {
  const domain = await ownDomain(env, ref);
  if (domain?.state.includes('p') === true) await unpauseDomain(env.host, domain.id);
}

/** Whether the domain was asked. One without the PV driver cannot be; one that ended meanwhile is unknown. */
async function askToShutDown(env: StepEnv, id: number): Promise<boolean> {
  try {
    await shutdownDomain(env.host, id);
    return true;
  } catch (error) {
    if (!(error instanceof ToolError) || error.cancelled) throw error;
    return false;
  }
}

/** Switches the guest off and waits until it has gone, dying included. */
export async function destroyGuest(env: StepEnv, ref: GuestRef): Promise<void> {
  const domain = await ownDomain(env, ref);
  await setSavedAside(env, ref);
  if (domain !== undefined) await switchOff(env, ref.name, domain.id);
}

async function switchOff(env: StepEnv, name: string, id: number): Promise<void> {
  try {
    await destroyDomain(env.host, id);
  } catch (error) {
    if (!(error instanceof ToolError) || error.cancelled || !(await awaitGone(env.host, name, ENDING_LIMIT_MS, env.signal, id)))
      throw error;
  }
  await mustBeGone(env, name, id);
}

/** The guest's domain; one of that name without a cfg of ours is somebody else's. */
export async function ownDomain(env: StepEnv, ref: GuestRef): Promise<DomainRow | undefined> {
  const domain = await findDomain(env.host, ref.name);
  if (domain === undefined) return undefined;
  const cfg = await env.host.files.read(guestPaths(env.settings, ref.name).cfg);
  mustOwn(cfg === undefined ? undefined : cfgOwner(cfg), ref, `domain ${ref.name}`);
  return domain;
}
