/** Root's password in a managed guest that runs, by its provisioning key. Values go by standard input. */
import { GuestflowError } from '../../../../contract/errors.ts';
import type { GuestSpec } from '../../../../contract/guest.ts';
import type { StepEnv } from '../../env.ts';
import { BRING_ROOT_LINE_BACK_SCRIPT, ROOT_LINE_SCRIPT, SET_PASSWORD_SCRIPT } from '../scripts.ts';
import { forgetFormer, formerOf, keepFormer } from './former.ts';
import { newPasswordHash } from './new-password.ts';
import { rootLine } from './shadow.ts';

/** A login under emulation takes half a minute. */
const LIMIT_MS = 2 * 60_000;

/** Sets what the spec says. The line that was there before is kept for `undoLive`. */
export async function changeLive(env: StepEnv, spec: GuestSpec, change: string): Promise<void> {
  const kind = env.kindOf(spec);
  const hash = await newPasswordHash(env, spec);
  if ((await formerOf(env, spec, change)) === undefined) {
    const { stdout } = await kind.run(spec, { script: ROOT_LINE_SCRIPT, timeoutMs: LIMIT_MS });
    const line = rootLine(Buffer.from(stdout, 'latin1'));
    if (line === undefined)
      throw new GuestflowError(
        'InvalidInput',
        `/etc/shadow of ${spec.name} has no line of root`,
        { field: 'access', mend: 'set the password while it is off: --offline' },
        false,
      );
    await keepFormer(env, spec, change, { file: { bytes: Buffer.from(`${line}\n`, 'latin1'), mode: 0o600, uid: 0, gid: 0 } });
  }
  await kind.run(spec, { script: SET_PASSWORD_SCRIPT, input: `root:${hash}\n`, timeoutMs: LIMIT_MS });
}

/** Brings back the line of before this change, if it has changed anything, and wipes what was kept of it. */
export async function undoLive(env: StepEnv, spec: GuestSpec, change: string): Promise<void> {
  const former = await formerOf(env, spec, change);
  const input = former?.file?.bytes.toString('latin1');
  if (input !== undefined) await env.kindOf(spec).run(spec, { script: BRING_ROOT_LINE_BACK_SCRIPT, input, timeoutMs: LIMIT_MS });
  await forgetFormer(env, spec);
}
