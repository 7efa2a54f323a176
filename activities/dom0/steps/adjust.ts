/** adjust: memory and vcpus of a guest that runs, as far as Xen can change them without a restart. */
import type { AdjustResult } from '../../../contract/step-results.ts';
import type { DomainRow } from '../../../contract/dom0.ts';
import type { GuestSpec } from '../../../contract/guest.ts';
import { GuestflowError } from '../../../contract/errors.ts';
import { formatSize, MiB } from '../../../contract/sizes.ts';
import { until } from '../../../system/until.ts';
import type { StepEnv } from '../env.ts';

/** How long a guest may take to give memory back, or to take it. */
const FOLLOW_LIMIT_MS = 60_000;
const POLL_MS = 500;
/** A guest's balloon driver stops a few pages away from its target. */
const NEARLY_MIB = 8;

export interface AdjustInput {
  readonly spec: GuestSpec;
  /**
   * Set in an undo. If the guest keeps more than `spec` says, the undo fails, since the ledger would sell that memory twice. The guest is given its
   * former memory even if Xen has not all of it free now: it takes it as it becomes free.
   */
  readonly mustNotKeepMore: boolean;
}

/**
 * Changes a running guest to the memory and vcpus of `spec`, and waits until it has followed.
 *
 * @param limitMs milliseconds that the guest has for that.
 * @returns why a restart is needed, if one is: the guest is off, was started with less room, or does not follow.
 * @throws GuestflowError NoCapacity if Xen has not enough memory free. With `mustNotKeepMore` instead ToolFailed, if the guest keeps more.
 */
export async function adjustGuest(env: StepEnv, { spec, mustNotKeepMore }: AdjustInput, limitMs = FOLLOW_LIMIT_MS): Promise<AdjustResult> {
  const domain = await env.toolstack.findOwn(spec);
  if (domain === undefined) return { isDone: false, reason: `${spec.name} does not run` };
  if (!mustNotKeepMore) await mustFit(env, spec, domain);
  const reason = (await change(env, spec, domain)) ?? (await awaitFollowed(env, spec, domain.id, limitMs));
  if (reason === undefined) return { isDone: true };
  const left = await env.toolstack.find(spec.name);
  if (mustNotKeepMore && left !== undefined && left.memoryMiB > spec.size.memoryBytes / MiB + NEARLY_MIB)
    throw new GuestflowError('ToolFailed', `${spec.name} keeps ${String(left.memoryMiB)} MiB of memory: ${reason}`, { field: 'memory' });
  if (mustNotKeepMore) env.log.warn({ guest: spec.name }, `${spec.name} is not yet as it was before: ${reason}`);
  return { isDone: false, reason };
}

/** @throws GuestflowError NoCapacity if the guest is to get more memory than Xen has free */
async function mustFit({ toolstack, settings }: StepEnv, spec: GuestSpec, { id, memoryMiB }: DomainRow): Promise<void> {
  const mib = spec.size.memoryBytes / MiB;
  // Without enough room the guest needs a restart, however much is free.
  if (mib <= memoryMiB || (await toolstack.vcpus(id)).room < spec.size.vcpus) return;
  const short = mib - memoryMiB - (await toolstack.facts()).freeMemoryMiB;
  if (short <= 0) return;
  throw new GuestflowError('NoCapacity', `dom0 ${settings.host} has ${String(short)} MiB of memory too little free to grow ${spec.name}`, {
    field: 'memory',
    value: formatSize(spec.size.memoryBytes),
  });
}

/** Tells Xen. What Xen cannot do is found out before anything is changed. */
async function change({ toolstack }: StepEnv, spec: GuestSpec, { id }: DomainRow): Promise<string | undefined> {
  const mib = spec.size.memoryBytes / MiB;
  const { room } = await toolstack.vcpus(id);
  if (room < spec.size.vcpus)
    return `${spec.name} was started with room for ${String(room)} vcpus, and cannot have ${String(spec.size.vcpus)}`;
  if (!(await toolstack.setMemory(id, mib)))
    return `${spec.name} was started with less room than the ${String(mib)} MiB that it is to have`;
  await toolstack.setVcpus(id, spec.size.vcpus);
  return undefined;
}

/** Waits until the guest has followed. The guest makes the change, not Xen: without the drivers, or against its will, it never does. */
async function awaitFollowed(env: StepEnv, spec: GuestSpec, id: number, limitMs: number): Promise<string | undefined> {
  const { toolstack, signal } = env;
  const mib = spec.size.memoryBytes / MiB;
  let has = '';
  const look = async (): Promise<'follows' | 'ended' | undefined> => {
    const found = await toolstack.find(spec.name);
    if (found?.id !== id) return 'ended';
    const { online } = await toolstack.vcpus(id);
    if (Math.abs(found.memoryMiB - mib) <= NEARLY_MIB && online === spec.size.vcpus) return 'follows';
    has = `it has ${String(found.memoryMiB)} MiB and ${String(online)} vcpus, and is to have ${String(mib)} MiB and ${String(spec.size.vcpus)}`;
    env.progress(`waiting for ${spec.name} to follow: ${has}`);
    return undefined;
  };
  const seen = await until(look, { everyMs: POLL_MS, limitMs, signal });
  if (seen === 'follows') return undefined;
  return seen === 'ended' ? `${spec.name} ended while it was changed` : `${spec.name} did not follow within ${limitMs / 1000} s: ${has}`;
}
