/**
 * A managed guest is frozen for the moment in which its snapshot is taken: its own hooks stop what writes (a database), and what was written is flushed. A
 * guest that cannot be frozen is saved all the same, as it is after a power cut.
 */
import type { GuestSpec } from '../../../contract/guest.ts';
import type { Consistency } from '../../../contract/backup.ts';
import type { StepEnv } from '../env.ts';
import { FREEZE_SCRIPT, THAW_SCRIPT } from './scripts.ts';

/** Hooks have a minute each; a login under emulation takes half a minute. */
const FREEZE_LIMIT_MS = 5 * 60_000;

/** What was done while the guest was frozen, and how consistent that is. */
export interface Frozen<T> {
  readonly result: T;
  readonly consistency: Extract<Consistency, 'crash' | 'flushed'>;
  /** Why it was not frozen though it was to be. */
  readonly warnings: readonly string[];
}

/** Does a short work while the guest is frozen, if it can be. The guest must run. */
export async function whileFrozen<T>(env: StepEnv, spec: GuestSpec, work: () => Promise<T>): Promise<Frozen<T>> {
  if (!spec.access.managed || (await env.kindOf(spec).isSealed(spec))) return { result: await work(), consistency: 'crash', warnings: [] };
  env.progress(`freezing ${spec.name}`);
  const said = await ask(env, spec, FREEZE_SCRIPT);
  if (said !== undefined) return { result: await work(), consistency: 'crash', warnings: [`it was not frozen: ${said}`] };
  let late: string | undefined;
  const result = await work().finally(async () => {
    late = await ask(env, spec, THAW_SCRIPT);
  });
  return late === undefined
    ? { result, consistency: 'flushed', warnings: [] }
    : { result, consistency: 'crash', warnings: [`whether it was frozen the whole time is unknown: ${late}`] };
}

/** Undefined: the guest says that it is frozen. Else why not. */
async function ask(env: StepEnv, spec: GuestSpec, script: string): Promise<string | undefined> {
  try {
    const { stdout } = await env.kindOf(spec).run(spec, { script, timeoutMs: FREEZE_LIMIT_MS });
    if (/^frozen=yes$/m.test(stdout)) return undefined;
    const hook = /^failed=([A-Za-z0-9._-]{1,100})$/m.exec(stdout)?.[1];
    return hook === undefined ? 'it thawed by itself before the snapshot was there' : `its hook ${hook} failed`;
  } catch (error) {
    env.signal.throwIfAborted();
    return error instanceof Error ? (error.message.split('\n', 1)[0] ?? '') : String(error);
  }
}
