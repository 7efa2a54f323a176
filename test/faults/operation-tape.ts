/** What each operation of the table calls, recorded from the real workflows: forward, and undone when any one of its calls fails for good. */
import { ApplicationFailure } from '@temporalio/common';
import { defined } from '../../contract/defined.ts';
import { changed } from '../an-order.ts';
import { GuestAtRest, orderOn, runningState, type Beginning, type GuestState } from './at-rest.ts';
import type { Verdict } from './case.ts';
import { guestPaths } from '../guest-places.ts';
import { backupsOn, ofLastBackup, type Wanted } from './operation-invariants.ts';
import { OPERATION_ROWS, type OperationRow } from './operation-rows.ts';
import { stepsOfUndos } from './lists.ts';
import { removalStep, verdictOf } from './operation-verdict.ts';
import { failureOf, type Call, type Server } from './server.ts';
import type { Rehearsal, Stage } from './stage.ts';
import type { Matrix } from './step-faults.ts';
import { GUEST, inTheNameOf, type Entry } from './tape.ts';
import { settingsOf } from './world.ts';

/** An operation that nothing disturbs, in the names of the guest of the tape. */
export interface Undisturbed {
  readonly row: OperationRow;
  readonly from: Beginning;
  /** The dom0 before it. */
  readonly stage: Stage;
  readonly forward: readonly Entry[];
  readonly rehearsals: readonly Rehearsal[];
  readonly wanted: Wanted;
  /** What is known of the guest after it. */
  readonly state: GuestState;
}

export interface OperationPlay extends Undisturbed {
  /** The activities that meet faults. Default: all. */
  readonly only?: readonly string[];
  /** `undo[i]`: what is called after `forward[i]` has failed for good. */
  readonly undo: readonly (readonly Entry[])[];
  /** `undoSteps[i]`: the steps that those belong to. Nothing of a removal is undone. */
  readonly undoSteps: readonly (readonly string[])[];
  /** Position of the last call whose failure is the operation's: what only follows on it may fail, and is left out. */
  readonly decisive: number;
  /** How each of those ended. */
  readonly verdicts: readonly Verdict[];
}

const DAY_MS = 86_400_000;

/** A name for a guest of this row's. */
export function nameFor(row: OperationRow, suffix: string): string {
  return `op${String(OPERATION_ROWS.indexOf(row))}${suffix}`;
}

function entryOf({ activity, input, isControl }: Call): Entry {
  return { activity, input, isControl };
}

async function recordForward(
  matrix: Matrix,
  server: Server,
  row: OperationRow,
  from: Beginning,
): Promise<Pick<Undisturbed, 'forward' | 'state'>> {
  const name = nameFor(row, 'tape');
  return GuestAtRest.with({ matrix, server, name, from }, async (guest) => {
    const forward: Entry[] = [];
    const seen = new Set<string>();
    guest.lead((call, work) => {
      if (!seen.has(call.activityId)) forward.push(entryOf(call));
      seen.add(call.activityId);
      return work();
    });
    const answer = await guest.operate({ kind: row.kind, id: 'tape', ...row.details });
    if (!answer.isOk) throw answer.error;
    const { operation: _none, queued: _empty, steps: _of, ...state } = await guest.status();
    return inTheNameOf({ forward, state }, GUEST, name);
  });
}

/** Whether what was asked for is done before this call, and stays: it only removes what is of no use any more, and is made again if it fails. */
export function isDoneBefore({ row, forward, decisive }: OperationPlay, index: number): boolean {
  return forward[index]?.activity === 'forgetAccess' || (row.kind === 'unrescue' && index > decisive);
}

/** What came of an operation of which one call failed for good. */
interface Failure {
  /** It was the operation's, too. */
  readonly isOperations: boolean;
  readonly after: readonly Entry[];
  readonly step: string;
  readonly verdict: Verdict;
}

async function recordFailure(
  matrix: Matrix,
  server: Server,
  { row, from, wanted, forward }: Undisturbed,
  failing: number,
): Promise<Failure> {
  const name = nameFor(row, `f${String(failing)}`);
  return GuestAtRest.with({ matrix, server, name, from }, async (guest) => {
    const after: Entry[] = [];
    const seen = new Set<string>();
    let isOver = false;
    guest.lead((call, work) => {
      if (isOver || seen.has(call.activityId)) return work();
      const count = seen.add(call.activityId).size;
      if (count - 1 === failing) throw ApplicationFailure.create({ type: 'ToolFailed', nonRetryable: true, message: 'the tape ends here' });
      // What an operation asks for its list of what is left is no undo.
      if (count - 1 > failing && !['leftoversOf', 'schedulesLeft'].includes(call.activity)) after.push(entryOf(call));
      return work();
    });
    const answer = await guest.operate({ kind: row.kind, id: 'tape', ...row.details });
    isOver = true;
    const step = answer.isOk ? '' : ((failureOf(answer.error).details as { step?: string }).step ?? '');
    const stuck = row.isRemoval === true ? forward.slice(failing, failing + 1).map(removalStep) : [];
    const verdict = await verdictOf(matrix, guest, wanted, answer, stuck);
    const undisturbed = seen.size > failing ? [] : ['what was to fail was never called'];
    return {
      isOperations: !answer.isOk,
      after: inTheNameOf(after, GUEST, name),
      step,
      verdict: { ...verdict, complaints: [...undisturbed, ...verdict.complaints] },
    };
  });
}

/** Backups are named by their times: those that go or are restored are those of the dom0 that it is played on, not of the recording. */
export function aimed(entry: Entry, { kind }: OperationRow, { snapshot }: Stage, host: string): Entry {
  const { backups } = guestPaths(settingsOf(host), GUEST);
  if (entry.activity !== 'pruneBackups') return ofLastBackup(entry, snapshot, backups);
  const ids = [...backupsOn(snapshot, backups).keys()].sort();
  return { ...entry, input: { ...(entry.input as object), ids: kind === 'backup' ? ids : ids.slice(0, -1) } };
}

/** The end of an order whose guest is not sealed. */
async function managed(matrix: Matrix): Promise<readonly Rehearsal[]> {
  const at = matrix.tape.forward.findIndex(({ activity }) => activity === 'sealGuest');
  const stage = matrix.rehearsals[at]?.from;
  if (stage === undefined) throw new Error('the order of the tape does not come to a seal');
  return matrix.stages.rehearse(stage, matrix.host, orderOn(matrix, { isManaged: true }).slice(at));
}

async function undisturbed(matrix: Matrix, server: Server, row: OperationRow, earlier: Undisturbed | undefined): Promise<Undisturbed> {
  const entries = earlier === undefined ? [] : [...earlier.from.entries, ...earlier.forward];
  const { spec, ...rest } = earlier?.state ?? runningState(matrix);
  const known: GuestState = spec === undefined ? rest : { ...rest, spec: changed(spec, row.spec ?? {}) };
  const isManaged = row.isManaged ?? earlier?.from.isManaged ?? false;
  const isNew = row.isNew ?? earlier?.from.isNew ?? false;
  const from = { entries, state: row.phase === undefined ? known : { ...known, phase: row.phase }, isManaged, isNew };
  const { forward: recorded, state } = await recordForward(matrix, server, row, from);
  const made = earlier?.rehearsals ?? (isNew ? matrix.rehearsals : isManaged ? await managed(matrix) : [matrix.firstBackup]);
  const last = made.at(-1)?.after;
  if (last === undefined) throw new Error(`there is no dom0 for ${row.name} to begin on`);
  const stage = { ...last, atMs: last.atMs + DAY_MS };
  const forward = recorded.map((entry) => aimed(entry, row, stage, matrix.host));
  const rehearsals = await matrix.stages.rehearse(stage, matrix.host, forward);
  const wanted = {
    row,
    guest: GUEST,
    settings: settingsOf(matrix.host),
    before: stage.snapshot,
    after: rehearsals.at(-1)?.after.snapshot ?? stage.snapshot,
  };
  return { row, from, stage, forward, rehearsals, wanted, state };
}

/** Records all operations of the table, many at once. */
export async function recordOperations(matrix: Matrix, server: Server): Promise<OperationPlay[]> {
  const recorded = new Map<string, Promise<Undisturbed>>();
  for (const row of OPERATION_ROWS) {
    const earlier = row.after === undefined ? undefined : recorded.get(row.after);
    if (row.after !== undefined && earlier === undefined)
      throw new Error(`${row.name} begins after ${row.after}, which is no row before it`);
    recorded.set(
      row.name,
      Promise.resolve(earlier).then((play) => undisturbed(matrix, server, row, play)),
    );
  }
  return Promise.all(
    [...recorded.values()].map(async (recording) => {
      const play = await recording;
      const failures = await Promise.all(play.forward.map((_, index) => recordFailure(matrix, server, play, index)));
      const decisive = failures.findLastIndex(({ isOperations }) => isOperations);
      // Cancelled there, or given up, it is undone as after the last call whose failure is its own.
      const counted = failures.map((failure, index) =>
        failure.isOperations ? failure : (failures.slice(0, index).findLast((each) => each.isOperations) ?? failure),
      );
      const undo = counted.map(({ after }) => after.map((entry) => aimed(entry, play.row, play.stage, matrix.host)));
      const undoSteps =
        play.row.isRemoval === true
          ? []
          : stepsOfUndos(
              undo,
              counted.map(({ step }) => step),
            );
      const { tries: only } = play.row;
      return { ...play, ...defined({ only }), undo, undoSteps, decisive, verdicts: failures.map(({ verdict }) => verdict) };
    }),
  );
}
