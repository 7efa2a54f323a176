/** seal: removes the provisioning key from the guest and the dom0. From then on only the customer's keys open the guest. */
import type { GuestSpec } from '../../../contract/guest.ts';
import { GuestflowError } from '../../../contract/errors.ts';
import type { StepEnv } from '../env.ts';
import { SEAL_SCRIPT } from '../guests/scripts.ts';
import { provisionKeyComment } from '../images/make-image.ts';
import { mustBeUp } from './boot.ts';

const LOGIN_LIMIT_MS = 60_000;

/** Seals the guest unless it is managed. */
export async function sealGuest(env: StepEnv, spec: GuestSpec): Promise<{ sealed: boolean }> {
  if (spec.access.managed) return { sealed: false };
  const kind = env.kindOf(spec);
  if (await kind.isSealed(spec)) return { sealed: true };
  await mustBeUp(env, spec);
  // Exit code 255 is ssh's own: a killed attempt may have sealed the guest already, so that it refuses the key now.
  const okCodes = [0, 255];
  const input = `${provisionKeyComment(spec)}\n`;
  const first = await kind.run(spec, { script: SEAL_SCRIPT, input, timeoutMs: LOGIN_LIMIT_MS, okCodes });
  if (first.code === 255 && !/permission denied/i.test(first.stderr))
    throw new GuestflowError('ToolFailed', `${spec.name} could not be reached to take the provisioning key away: ${first.stderr.trim()}`);
  const again = await kind.run(spec, { script: 'true', timeoutMs: LOGIN_LIMIT_MS, okCodes });
  if (again.code === 0) throw new GuestflowError('ToolFailed', `${spec.name} still takes the provisioning key after it was removed`);
  if (!/permission denied/i.test(again.stderr))
    throw new GuestflowError('ToolFailed', `whether ${spec.name} refuses the provisioning key is unknown: ${again.stderr.trim()}`);
  await kind.dropKey(spec);
  return { sealed: true };
}
