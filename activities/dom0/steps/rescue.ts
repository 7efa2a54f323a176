/**
 * The rescue system of a guest: made from the golden root file system, and started in the guest's place with the guest's own disks beside its own. The
 * guest's cfg stays as it is. That of the rescue system lies in the guest's state, where neither xendomains nor a person takes it for a guest's.
 */
import { GuestflowError } from '../../../contract/errors.ts';
import { RESCUE_BYTES } from '../../../contract/rescue.ts';
import type { BootResult } from '../../../contract/step-results.ts';
import type { GuestRef, GuestSpec } from '../../../contract/guest.ts';
import { until } from '../../../system/until.ts';
import type { StepEnv } from '../env.ts';
import { ensureGuestState, guestPaths } from '../guest-paths.ts';
import { mustOwn } from '../marks.ts';
import { removeParts } from '../staging.ts';
import { bootFrom, destroyGuest, turnOn } from './boot.ts';
import { ensureFromGolden } from './golden-volumes.ts';
import { wipeSavedQuietly } from './saved-memory.ts';

const POLL_MS = 1_000;
/** Milliseconds that a domain which was ended may still hold its disks. */
const CLOSING_LIMIT_MS = 2 * 60_000;

/**
 * Makes the disk of the rescue system, while the guest goes on. What an earlier one has left goes first.
 *
 * @param spec the guest as its rescue system has it
 * @throws NotFound, NoCapacity, HostNotReady, ToolFailed
 */
export async function makeRescue(env: StepEnv, spec: GuestSpec): Promise<{ readonly bytes: number }> {
  await endLeftOver(env, spec);
  await dropRescue(env, spec);
  const bytes = await env.storage.roundUp(RESCUE_BYTES);
  await ensureFromGolden(env, spec, { role: 'rescue', bytes });
  return { bytes };
}

/**
 * Starts the rescue system in the guest's place, and waits until it answers. The guest must be off.
 *
 * @returns `guestRoot`: what the guest's root disk is called in it
 * @throws GuestDidNotAnswer, NotFound, NotOurs, ToolFailed
 */
export async function bootRescue(env: StepEnv, spec: GuestSpec): Promise<BootResult & { readonly guestRoot: string }> {
  const { files } = env.host;
  const { rescueCfg: path } = await ensureGuestState(env, spec);
  const own = await env.toolstack.readCfg(spec.name);
  if (own === undefined)
    throw new GuestflowError('NotFound', `${env.toolstack.cfgPath(spec.name)} is missing: ${spec.name} cannot be started`);
  mustOwn(own.owner, spec, own.path);
  if ((await env.toolstack.find(spec.name))?.state === 'running' && !(await isInUse(env, spec)))
    throw new GuestflowError('ToolFailed', `${spec.name} runs from its own disk: its rescue system cannot be started beside it`);
  const { bytes, root, misread } = env.kindOf(spec).rescueCfg(own.bytes, spec);
  await removeParts(files, path);
  await files.writeAtomic(path, bytes, 0o600);
  const wrong = misread((await env.toolstack.tryCfg(path)).config);
  if (wrong.length > 0)
    throw new GuestflowError(
      'ToolFailed',
      `xl does not read the cfg of the rescue system of ${spec.name} as it was meant: ${wrong.join('; ')}. It is made from ${own.path}`,
      { field: 'cfg' },
      false,
    );
  return { ...(await bootFrom(env, spec, path)), guestRoot: `/dev/${root}` };
}

/** Ends a rescue system that an undo could not end. What else has its disk open is somebody's, and stays. */
async function endLeftOver(env: StepEnv, spec: GuestSpec): Promise<void> {
  const isIt = (await isInUse(env, spec)) && (await env.kindOf(spec).identifyRescue(spec, spec.network.ip)) !== undefined;
  if (isIt) await destroyGuest(env, spec);
}

/** Whether a domain, or something else, has the disk of the rescue system open. */
async function isInUse({ storage }: StepEnv, { name }: Pick<GuestRef, 'name'>): Promise<boolean> {
  const device = storage.device(name, 'rescue');
  return (await storage.list()).some((disk) => disk.open && disk.device === device);
}

/** Removes what there is of the rescue system: its disk, which is wiped, how it is known, its cfg, and the keys of a half-made one. It must be off. */
export async function dropRescue(env: StepEnv, ref: GuestRef): Promise<void> {
  const { host, signal } = env;
  // A domain that is taken apart still holds its disks, and has lost its name. If they stay open, the release says who has them.
  await until(async () => !(await isInUse(env, ref)), { everyMs: POLL_MS, limitMs: CLOSING_LIMIT_MS, signal });
  await env.storage.release(ref, 'rescue');
  const { rescueCfg, rescueHosts, roleInput } = guestPaths(env.settings, ref.name);
  for (const path of [rescueCfg, rescueHosts]) {
    await removeParts(host.files, path);
    await host.files.remove(path);
  }
  await host.files.removeTree(roleInput);
}

/** Switches a guest on from its own disks, for an undo. Whether it answers is not asked: what is to be rescued may not have done so before. */
export async function turnOnGuest(env: StepEnv, spec: GuestSpec): Promise<void> {
  if (await isInUse(env, spec))
    throw new GuestflowError('ToolFailed', `the rescue system of ${spec.name} still runs: its own cannot be started beside it`);
  await turnOn(env, spec);
  await wipeSavedQuietly(env, spec);
}
