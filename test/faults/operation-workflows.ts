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

/** An operation with its calls counted, retries apart: `meddle` is asked before each of them while it runs. */
async function run(
  matrix: WorkflowMatrix,
  { row, from, wanted }: OperationPlay,
  suffix: string,
  meddle: (count: number, guest: GuestAtRest) => Promise<void> | void,
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
    return verdictOf(matrix, guest, wanted, answer);
  });
}

function cancelCase(matrix: WorkflowMatrix, play: OperationPlay, index: number): Case {
  const entry = play.forward[index];
  let isDone = false;
  return {
    name: `operation cancelled/${play.row.name}/${entryName(play.forward, index)}`,
    run: () =>
      run(matrix, play, `c${String(index)}`, async (count, { server, name }) => {
        if (count !== index || isDone) return;
        isDone = true;
        await server.cancel(name);
        // A removal goes on whoever cancels it, and a call to Temporal is over before it could hear.
        if (entry?.isControl === false && play.row.isRemoval !== true) await hearsOfCancel();
      }),
  };
}

/** The last step fails, and then this undo does. */
function stuckCase(matrix: WorkflowMatrix, play: OperationPlay, position: number): Case {
  const last = play.forward.length - 1;
  return {
    name: `operation stuck/${play.row.name}/${entryName(play.undo[last] ?? [], position)}`,
    run: () =>
      run(matrix, play, `u${String(position)}`, (count) => {
        if (count === last || count === last + 1 + position) fails();
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
    ...(play.row.isRemoval === true ? [] : (play.undo.at(-1) ?? []).map((_, position) => stuckCase(matrix, play, position))),
  ]);
}
