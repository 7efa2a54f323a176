/** boot: the guest is up when it answers, not when its domain exists (row 9 of the how-to). */
import { defined } from '../../../contract/defined.ts';
import type { BootResult } from '../../../contract/step-results.ts';
import type { DomainRow } from '../../../contract/dom0.ts';
import type { GuestRef, GuestSpec } from '../../../contract/guest.ts';
import { GuestflowError } from '../../../contract/errors.ts';
import { ToolError } from '../../../system/run.ts';
import { until } from '../../../system/until.ts';
import type { StepEnv } from '../env.ts';
import type { Answer } from '../guests/port.ts';
import { domainNameOf, mustOwn, type DomainRef } from '../marks.ts';
import { setSavedAside, wipeSavedQuietly } from './saved-memory.ts';
import { countLast } from '../traffic/count.ts';

/** Milliseconds that the toolstack has to make a domain. */
const CREATE_LIMIT_MS = 5 * 60_000;
/** How long a guest has for its boot. Generous: a dom0 under emulation takes over a minute. */
const ANSWER_LIMIT_MS = 8 * 60_000;
/**
 * The tenant of a sealed guest may have moved sshd, closed its port or made new host keys, so a missing answer proves nothing. If the domain has been up
 * for this long, the guest counts as started: one that cannot boot has ended by then, or has restarted again and again.
 */
const SEALED_UP_MS = 2 * 60_000;
/** How often a guest is asked to shut down, and how long it has after each time, before it is switched off. */
const SHUTDOWN_ASKS = 3;
const SHUTDOWN_AGAIN_MS = 60_000;
const GONE_LIMIT_MS = 2 * 60_000;
/** If xl could not destroy a domain because it was ending already (by its `on_crash`), the domain has gone after this long. */
const ENDING_LIMIT_MS = 20_000;
const POLL_MS = 500;
/** An installer's first boot may restart a guest once or twice; one that does it more often will not answer. */
const MOST_RESTARTS = 3;

type Ask = (ref: GuestRef, ip: string) => Promise<Answer>;

/** The answer that is waited for, and what it means if it does not come. */
interface Awaited {
  readonly ask: Ask;
  /** The guest is sealed, and need not answer. */
  readonly isSealed: boolean;
  /** This attempt has started the domain. In a domain that ran before, somebody may be at work, even if it does not answer: it is not ended. */
  readonly isStartedHere: boolean;
}

/** What the guest answered; or, if it is sealed and does not answer, why it counts as started. */
type Started = NonNullable<Answer> & Pick<BootResult, 'warning'>;

async function awaitAnswer(env: StepEnv, ref: GuestRef, ip: string, { ask, isSealed, isStartedHere }: Awaited): Promise<Started> {
  const started = Date.now();
  const seen = new Set<number>();
  let up: Up | undefined;
  const look = async (): Promise<Started | undefined> => {
    const answer = await ask(ref, ip);
    if (answer !== undefined) return answer;
    const seconds = Math.round((Date.now() - started) / 1000);
    const domain = await env.toolstack.find(ref.name);
    if (domain === undefined || domain.state === 'crashed')
      return notAnswering(env, ref, `stopped ${String(seconds)} s after it was started`, isStartedHere);
    seen.add(domain.id);
    if (seen.size > MOST_RESTARTS + 1)
      return notAnswering(env, ref, `restarted ${String(seen.size - 1)} times in ${String(seconds)} s without answering`, isStartedHere);
    up = stillUp(up, domain);
    if (isSealed && up !== undefined && Date.now() - up.since >= SEALED_UP_MS) return startedSilently(env, ref, ip, up);
    if (Date.now() - started > ANSWER_LIMIT_MS)
      return notAnswering(env, ref, `did not answer at ${ip} within ${String(seconds)} s`, isStartedHere && !isSealed);
    env.progress(`waiting for ${ref.name} to answer at ${ip} (${String(seconds)} s)`);
    return undefined;
  };
  return await until(look, { everyMs: POLL_MS, signal: env.signal });
}

/** A domain that was seen at every look since then, neither paused nor ending. */
interface Up {
  readonly id: number;
  readonly since: number;
}

function stillUp(before: Up | undefined, { id, state }: DomainRow): Up | undefined {
  if (state !== 'running') return undefined;
  return before?.id === id ? before : { id, since: Date.now() };
}

function startedSilently(env: StepEnv, ref: GuestRef, ip: string, { id, since }: Up): Started {
  const seconds = String(Math.round((Date.now() - since) / 1000));
  const warning = `${ref.name} is sealed and has not shown its first host key at ${ip}; it counts as started, since its domain ${String(id)} has been up for ${seconds} s`;
  env.log.warn({ guest: ref.name }, warning);
  return { kernel: '', rootDevice: '', warning };
}

/** @param mayEnd whether the domain may be switched off, so that the next attempt, or the undo, begins without it */
async function notAnswering(env: StepEnv, ref: GuestRef, what: string, mayEnd: boolean): Promise<never> {
  const console = await env.toolstack.console(ref.name);
  const domain = await env.toolstack.find(ref.name);
  if (domain !== undefined && (mayEnd || isHalfMade(domain))) {
    // If that fails, the next attempt or the undo tries again; the error to report is that the guest does not answer.
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

/** Whether the domain is paused and has never run: xl was killed while it made the domain. Nobody works in it, so it can be ended. */
function isHalfMade({ state, cpuSeconds }: DomainRow): boolean {
  return state === 'paused' && cpuSeconds === 0;
}

/** Starts the domain unless it runs, and waits for the guest's answer. A sealed guest need not answer: for it, the domain must stay up. */
export async function bootGuest(env: StepEnv, spec: GuestSpec): Promise<BootResult> {
  const kind = env.kindOf(spec);
  const isSealed = await kind.isSealed(spec);
  const ask: Ask = async (ref, ip) => await (isSealed ? kind.identify(ref, ip) : kind.greet(ref, ip));
  return await start(env, spec, { ask, isSealed });
}

/**
 * For a step that works in the guest: starts the guest if it went off since its boot (its dom0 lost power), and waits until it answers. Its host key
 * counts as an answer, since a killed attempt may have sealed it; but it must answer.
 */
export async function mustBeUp(env: StepEnv, spec: GuestSpec): Promise<void> {
  const kind = env.kindOf(spec);
  await start(env, spec, { ask: async (ref, ip) => await kind.identify(ref, ip), isSealed: false });
}

/**
 * Starts the guest's rescue system, or finds it started, and waits until it answers.
 *
 * @param cfg path of its cfg. That of the guest marks the domain as ours: both have the guest's name, so that never both can run
 */
export async function bootFrom(env: StepEnv, spec: GuestSpec, cfg: string): Promise<BootResult> {
  const kind = env.kindOf(spec);
  return await start(env, spec, { ask: async (ref, ip) => await kind.identifyRescue(ref, ip), isSealed: false }, cfg);
}

async function start(env: StepEnv, spec: GuestSpec, awaited: Omit<Awaited, 'isStartedHere'>, cfg?: string): Promise<BootResult> {
  const started = Date.now();
  const isStartedHere = await turnOn(env, spec, cfg);
  const answer = await awaitAnswer(env, spec, spec.network.ip, { ...awaited, isStartedHere });
  await wipeSavedQuietly(env, spec);
  const domain = await env.toolstack.find(spec.name);
  return { domainId: domain?.id ?? -1, seconds: Math.round((Date.now() - started) / 100) / 10, ...answer };
}

/** Makes the guest's domain, unless it is there. Whether it answers is not asked. @returns whether it was made */
export async function turnOn(env: StepEnv, spec: GuestSpec, from?: string): Promise<boolean> {
  const { toolstack } = env;
  const cfg = await toolstack.readCfg(spec.name);
  if (cfg === undefined) throw new GuestflowError('NotFound', `${toolstack.cfgPath(spec.name)} is missing: ${spec.name} cannot be started`);
  mustOwn(cfg.owner, spec, cfg.path);
  // A domain that is ending still holds memory, disks and its name.
  const there = await toolstack.find(spec.name);
  if (there?.state === 'crashed') await switchOff(env, spec.name, there.id);
  if (there?.state === 'ending') await mustBeGone(env, spec.name, there.id);
  // From now on the guest's disks are newer than its saved memory, which must never be restored.
  await setSavedAside(env, spec);
  if ((await toolstack.find(spec.name)) !== undefined) return false;
  env.progress(`xl create ${spec.name}`);
  await toolstack.create(spec.name, { timeoutMs: CREATE_LIMIT_MS, ...defined({ cfg: from }) });
  return true;
}

/**
 * Makes the guest's other domain of that name, unless it is there. One that a killed attempt has left half made is made again.
 *
 * @param prepare what is done before, when there is none
 */
export async function createFresh(env: StepEnv, ref: Required<DomainRef>, prepare: () => Promise<void>): Promise<void> {
  const { toolstack } = env;
  const { domain: name } = ref;
  const there = await toolstack.findOwn(ref);
  if (there !== undefined && there.state !== 'crashed' && there.state !== 'ending' && !isHalfMade(there)) return;
  if (there?.state === 'ending') await mustBeGone(env, name, there.id);
  else if (there !== undefined) await switchOff(env, name, there.id);
  await prepare();
  env.progress(`xl create ${name}`);
  await toolstack.create(name, { timeoutMs: CREATE_LIMIT_MS });
}

/** @param id of the domain: an ending domain has often lost its name */
async function mustBeGone(env: StepEnv, name: string, id: number): Promise<void> {
  if (await env.toolstack.awaitGone(name, GONE_LIMIT_MS, id)) return;
  throw new GuestflowError('ToolFailed', `domain ${name} is still in xl list ${String(GONE_LIMIT_MS / 1000)} s after it was told to end`);
}

/** Shuts the guest down and waits until its domain has gone. If it does not shut down, it is switched off. */
export async function stopGuest(env: StepEnv, ref: GuestRef): Promise<{ how: 'was off' | 'shut down' | 'switched off' }> {
  const domain = await env.toolstack.findOwn(ref);
  // The guest is to stay off: xendomains must not restore its saved memory.
  await setSavedAside(env, ref);
  if (domain === undefined) return { how: 'was off' };
  // A paused guest does not see the request to shut down.
  if (domain.state === 'paused') await env.toolstack.unpause(domain.id);
  await countLast(env, ref, domain);
  env.progress(`xl shutdown ${ref.name}`);
  for (let asked = 1; asked <= SHUTDOWN_ASKS; asked += 1) {
    // It is asked more than once: early in its boot a guest misses the request, and xl itself may fail once.
    const patienceMs = (await env.toolstack.askToShutDown(domain.id)) ? SHUTDOWN_AGAIN_MS : POLL_MS;
    if (await env.toolstack.awaitGone(ref.name, patienceMs, domain.id)) return { how: 'shut down' };
  }
  await destroyGuest(env, ref);
  return { how: 'switched off' };
}

/** Pauses the guest; its memory stays. A guest that is off stays off. */
export async function pauseGuest(env: StepEnv, ref: GuestRef): Promise<void> {
  const domain = await env.toolstack.findOwn(ref);
  await setSavedAside(env, ref);
  if (domain === undefined || domain.state === 'paused') return;
  await env.toolstack.pause(domain.id);
  // xl exits with 0 even if there is no such domain.
  const after = await env.toolstack.find(ref.name);
  if (after !== undefined && after.state !== 'paused')
    throw new GuestflowError('ToolFailed', `domain ${ref.name} is not paused after xl pause: it is ${after.state}`);
}

/** Undo of `pauseGuest`. Do not use it for a domain that xl is still making: that is paused, too. */
export async function unpauseGuest(env: StepEnv, ref: GuestRef): Promise<void> {
  const domain = await env.toolstack.findOwn(ref);
  if (domain?.state === 'paused') await env.toolstack.unpause(domain.id);
}

/** Switches the guest off and waits until its domain has gone, an ending one included. */
export async function destroyGuest(env: StepEnv, ref: DomainRef): Promise<void> {
  const domain = await env.toolstack.findOwn(ref);
  await setSavedAside(env, ref);
  if (domain === undefined) return;
  if (ref.domain === undefined) await countLast(env, ref, domain);
  await switchOff(env, domainNameOf(ref), domain.id);
}

async function switchOff(env: StepEnv, name: string, id: number): Promise<void> {
  try {
    await env.toolstack.destroy(id);
  } catch (error) {
    if (!(error instanceof ToolError) || error.cancelled || !(await env.toolstack.awaitGone(name, ENDING_LIMIT_MS, id))) throw error;
  }
  await mustBeGone(env, name, id);
}
