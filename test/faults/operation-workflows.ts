/** What only the real workflows can show of an operation: each call of it fails for good, is cancelled, or its undo cannot be done. */
import { ApplicationFailure } from '@temporalio/common';
import { GuestAtRest } from './at-rest.ts';
import type { Case, Verdict } from './case.ts';
import { nameFor, type OperationPlay } from './operation-tape.ts';
import { verdictOf } from './operation-verdict.ts';
import { hearsOfCancel } from './scenario.ts';
import type { Actor } from './server.ts';
import { entryName } from './step-faults.ts';
import type { WorkflowMatrix } from './workflow-faults.ts';

function fails(): never {
  throw ApplicationFailure.create({ type: 'ToolFailed', nonRetryable: true, message: 'it fails, for the test' });
}

interface Meddling {
  /** Asked before each call while the operation runs. */
  readonly meddle: (count: number, guest: GuestAtRest) => Promise<void> | void;
  /** Whether it came to what it is for. */
  readonly hasMeddled: () => boolean;
  /** Steps that cannot be undone. */
  readonly stuck?: readonly string[];
}

/** An operation with its calls counted, retries apart. */
async function run(
  matrix: WorkflowMatrix,
  { row, from, wanted }: OperationPlay,
  suffix: string,
  { meddle, hasMeddled, stuck = [] }: Meddling,
): Promise<Verdict> {
  const { server } = matrix;
  return GuestAtRest.with({ matrix, server, name: nameFor(row, suffix), from }, async (guest) => {
    const counted: string[] = [];
    let isOver = false;
    const actor: Actor = async (call, work) => {
      if (!isOver) {
        if (!counted.includes(call.activityId)) counted.push(call.activityId);
        await meddle(counted.indexOf(call.activityId), guest);
      }
      return work();
    };
    guest.lead(actor);
    const answer = await guest.operate({ kind: row.kind, id: 'meddled', ...row.details });
    isOver = true;
    const verdict = await verdictOf(matrix, guest, wanted, answer, stuck);
    const undisturbed = hasMeddled() ? [] : ['what was to disturb it did not happen'];
    return { ...verdict, complaints: [...undisturbed, ...verdict.complaints] };
  });
}

function cancelCase(matrix: WorkflowMatrix, play: OperationPlay, index: number): Case {
  const entry = play.forward[index];
  let isDone = false;
  return {
    name: `operation cancelled/${play.row.name}/${entryName(play.forward, index)}`,
    run: () =>
      run(matrix, play, `c${String(index)}`, {
        async meddle(count, { server, name }) {
          if (count !== index || isDone) return;
          isDone = true;
          await server.cancel(name);
          // A removal goes on whoever cancels it, and a call to Temporal is over before it could hear.
          if (entry?.isControl === false && play.row.isRemoval !== true) await hearsOfCancel();
        },
        hasMeddled: () => isDone,
      }),
  };
}

/** The last step fails, and then this undo does. */
function stuckCase(matrix: WorkflowMatrix, play: OperationPlay, position: number): Case {
  const last = play.decisive;
  const step = play.undoSteps[last]?.[position] ?? '';
  let isStuck = false;
  return {
    name: `operation stuck/${play.row.name}/${entryName(play.undo[last] ?? [], position)}`,
    run: () =>
      run(matrix, play, `u${String(position)}`, {
        meddle(count) {
          if (count === last + 1 + position) isStuck = true;
          if (count === last || count === last + 1 + position) fails();
        },
        hasMeddled: () => isStuck,
        stuck: [step],
      }),
  };
}

export function operationWorkflowCases(matrix: WorkflowMatrix, plays: readonly OperationPlay[]): Case[] {
  return plays.flatMap((play) => [
    ...play.verdicts.map((verdict, index) => ({
      name: `operation fails/${play.row.name}/${entryName(play.forward, index)}/for good`,
      run: () => Promise.resolve(verdict),
    })),
    ...play.forward.map((_, index) => cancelCase(matrix, play, index)),
    ...(play.row.isRemoval === true ? [] : (play.undo[play.decisive] ?? []).map((_, position) => stuckCase(matrix, play, position))),
  ]);
}
