/** Runs the verbs. All look before the first one acts. Each looks again after it has acted. If one fails, those that acted are undone in reverse. */
import { GuestflowError } from '../contract/errors.ts';
import type { Host } from '../system/host.ts';
import type { Job, PlanRow, PrepareEvent, Verb, Wishes } from './types.ts';

/** What a run is given. */
export interface RunInput {
  readonly host: Host;
  readonly wishes: Wishes;
  readonly signal: AbortSignal;
  readonly emit: (event: PrepareEvent) => void;
}

interface Undo {
  readonly step: string;
  readonly what: string;
  readonly undo: () => Promise<void>;
}

/** What each verb found and would change. Refusals come before anything is changed. */
export async function plan(verbs: readonly Verb[], job: Pick<Job, 'host' | 'wishes'>): Promise<PlanRow[]> {
  const rows: PlanRow[] = [];
  for (const verb of verbs) rows.push({ step: verb.name, ...(await verb.look(job)) });
  return rows;
}

/**
 * Looks, does, verifies.
 *
 * @returns what is there now
 * @throws the error of the verb that failed, with what was undone; `NeedsCleanup` when an undo failed, with what is left
 */
export async function carryOut(verbs: readonly Verb[], input: RunInput): Promise<PlanRow[]> {
  await plan(verbs, input);
  const undos: Undo[] = [];
  try {
    for (const verb of verbs) await carryOutOne(verb, input, undos);
  } catch (error) {
    throw await undoAll(undos, error, input.emit);
  }
  return plan(verbs, input);
}

async function carryOutOne(verb: Verb, input: RunInput, undos: Undo[]): Promise<void> {
  const step = verb.name;
  if (input.signal.aborted) throw new GuestflowError('Cancelled', 'dom0 prepare was interrupted');
  if ((await verb.look(input)).state !== 'change') return;
  input.emit({ event: 'step', step, state: 'begins' });
  const onUndo = (what: string, undo: () => Promise<void>): void => {
    undos.push({ step, what, undo });
  };
  await verb.do({ ...input, onUndo });
  const after = await verb.look(input);
  if (after.state === 'change')
    throw new GuestflowError('ToolFailed', `${step} was done and is not so: ${[after.found, ...after.changes].join('; ')}`, {
      field: step,
    });
  input.emit({ event: 'step', step, state: 'done', text: after.found });
}

async function undoAll(undos: readonly Undo[], error: unknown, emit: RunInput['emit']): Promise<Error> {
  const undone: string[] = [];
  const leftovers: string[] = [];
  for (const { step, what, undo } of [...undos].reverse()) {
    try {
      await undo();
      undone.push(what);
      emit({ event: 'step', step, state: 'undone', text: what });
    } catch (failure) {
      const left = `${what}: ${messageOf(failure)}`;
      leftovers.push(left);
      emit({ event: 'step', step, state: 'undo failed', text: left });
    }
  }
  const type = error instanceof GuestflowError ? error.type : 'ToolFailed';
  const details = error instanceof GuestflowError ? error.details : {};
  if (leftovers.length === 0) return new GuestflowError(type, messageOf(error), { ...details, undone });
  return new GuestflowError('NeedsCleanup', `${messageOf(error)}; not all could be undone`, {
    ...details,
    undone,
    leftovers,
    mend: 'put right what is left by hand, then run the same command again',
  });
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
