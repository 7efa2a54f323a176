/** The access to a guest that exists: set in the guest where guestflow can log in, else on its disk while it is off. */
import type { AccessPart } from '../../../contract/access-parts.ts';
import type { GuestSpec } from '../../../contract/guest.ts';
import { GuestflowError } from '../../../contract/errors.ts';
import type { StepEnv } from '../env.ts';
import { changeLive, undoLive } from '../guests/access/live.ts';
import { mustBeUp } from './boot.ts';
import { atRest } from './resize-disk.ts';

export interface AccessInput {
  /** With what it is to be; of an undo, as it was. */
  readonly spec: GuestSpec;
  /** Id of the change: an undo undoes no other. */
  readonly change: string;
  /** What of it changes. */
  readonly part: AccessPart;
}

/** Sets it on the guest's disk. The guest is switched off, if it is not. */
export async function changeAccessOffline(env: StepEnv, { spec, part, change }: AccessInput): Promise<void> {
  const { device } = await atRest(env, spec);
  env.progress(`changing the access to ${spec.name} on its disk`);
  await env.kindOf(spec).changeAccess(spec, device, part, change);
}

/** Undo of `changeAccessOffline`: the files of before are there again, byte by byte. */
export async function undoAccessOffline(env: StepEnv, { spec, change }: AccessInput): Promise<void> {
  const { device } = await atRest(env, spec);
  await env.kindOf(spec).undoAccess(spec, device, change);
}

/** Sets it in a managed guest that runs. */
export async function changeAccessLive(env: StepEnv, { spec, part, change }: AccessInput): Promise<void> {
  if (await env.kindOf(spec).isSealed(spec))
    throw new GuestflowError(
      'InvalidInput',
      `${spec.name} is sealed: guestflow cannot log in to it`,
      { field: 'how', mend: 'change it while it is off: --offline' },
      false,
    );
  await mustBeUp(env, spec);
  env.progress(`changing the access to ${spec.name} in it`);
  await changeLive(env, spec, part, change);
}

/** Undo of `changeAccessLive`. */
export async function undoAccessLive(env: StepEnv, { spec, part, change }: AccessInput): Promise<void> {
  await mustBeUp(env, spec);
  await undoLive(env, spec, part, change);
}

/** The change is over: what it has kept for its undo is wiped. */
export async function forgetAccess(env: StepEnv, spec: GuestSpec): Promise<void> {
  await env.kindOf(spec).forgetAccess(spec);
}
