/** The access to a managed guest that runs, by its provisioning key. Values go by standard input. */
import { GuestflowError } from '../../../../contract/errors.ts';
import type { AccessPart } from '../../../../contract/access-parts.ts';
import type { GuestSpec } from '../../../../contract/guest.ts';
import type { StepEnv } from '../../env.ts';
import { make } from '../../tools/system-files.ts';
import { BRING_ROOT_LINE_BACK_SCRIPT, ROOT_LINE_SCRIPT, SET_PASSWORD_SCRIPT, TAKE_HOSTNAME_SCRIPT } from '../scripts.ts';
import { forgetFormer, formerOf, keepFormer } from './former.ts';
import { LIMIT_MS, LiveSystem } from './live-system.ts';
import { newPasswordHash } from './new-password.ts';
import { rootLine } from './shadow.ts';
import { formerFor, wishesFor } from './wishes.ts';

/** Sets what the spec says of this part. What was there before is kept for `undoLive`. */
export async function changeLive(env: StepEnv, spec: GuestSpec, part: AccessPart, change: string): Promise<void> {
  if (part === 'password') return changePassword(env, spec, change);
  const files = new LiveSystem(env.kindOf(spec), spec);
  const former = await formerOf(env, spec, change);
  const wishes = await wishesFor(env, spec, part, files, former);
  if (former === undefined) await keepFormer(env, spec, change, await formerFor(files, wishes));
  for (const wish of wishes) await make(files, wish);
  await take(env, spec, part);
}

/** Brings back what was there before this change, if it has changed anything, and wipes what was kept of it. */
export async function undoLive(env: StepEnv, spec: GuestSpec, part: AccessPart, change: string): Promise<void> {
  const former = (await formerOf(env, spec, change)) ?? [];
  if (part === 'password') await bringRootLineBack(env, spec, former[0]?.has);
  else {
    const files = new LiveSystem(env.kindOf(spec), spec);
    for (const state of former.toReversed()) await make(files, state);
    if (former.length > 0) await take(env, spec, part);
  }
  await forgetFormer(env, spec);
}

/** A kernel that runs is told its name; all else is read when it is needed. */
async function take(env: StepEnv, spec: GuestSpec, part: AccessPart): Promise<void> {
  if (part === 'hostname') await env.kindOf(spec).run(spec, { script: TAKE_HOSTNAME_SCRIPT, timeoutMs: LIMIT_MS });
}

/** By the guest's own tool, which minds who else changes passwords just then. Only root's line is kept. */
async function changePassword(env: StepEnv, spec: GuestSpec, change: string): Promise<void> {
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
    const has = { bytes: Buffer.from(`${line}\n`, 'latin1'), mode: 0o600, uid: 0, gid: 0 };
    await keepFormer(env, spec, change, [{ path: '/etc/shadow', is: 'file', has }]);
  }
  await kind.run(spec, { script: SET_PASSWORD_SCRIPT, input: `root:${hash}\n`, timeoutMs: LIMIT_MS });
}

async function bringRootLineBack(env: StepEnv, spec: GuestSpec, line: object | undefined): Promise<void> {
  if (line === undefined || !('bytes' in line) || !Buffer.isBuffer(line.bytes)) return;
  const input = line.bytes.toString('latin1');
  await env.kindOf(spec).run(spec, { script: BRING_ROOT_LINE_BACK_SCRIPT, input, timeoutMs: LIMIT_MS });
}
