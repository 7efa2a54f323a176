/** Nights at the wrong time: beside every operation and after it, in every phase; those that overlap, wait, are cancelled, killed, or missed. */
import type { Case } from './case.ts';
import { failForGood, nightCase, nightComes, nth, stateIn } from './night-case.ts';
import { killedCases, missedCase } from './night-lost.ts';
import { overlapCases } from './night-overlaps.ts';
import { askNight, type AskedNight } from './night.ts';
import type { OperationPlay } from './operation-tape.ts';
import type { WorkflowMatrix } from './workflow-faults.ts';

/** A night comes while the operation of the row stands at one of its calls; that call fails, or the operation goes on. */
function besideCase(matrix: WorkflowMatrix, play: OperationPlay, index: number, how: 'goes on' | 'fails'): Case {
  const { row, forward } = play;
  const place = `${row.name}/${String(index).padStart(2, '0')} ${forward[index]?.activity ?? ''}`;
  return nightCase(matrix, play, `beside/${place}/${how}`, async (guest) => {
    const isAt = nth(index);
    let coming: Promise<AskedNight> | undefined;
    guest.lead(async (call, work) => {
      if (!isAt(call)) return work();
      await (coming ??= nightComes(guest));
      return how === 'fails' ? failForGood() : work();
    });
    const operation = await guest.operate({ kind: row.kind, id: 'beside', ...row.details });
    const night = await coming;
    if (night === undefined) throw new Error('the operation never came to where the night was to come');
    return { nights: [{ night, expected: stateIn(operation.isOk ? row.end : guest.state.phase) }], operation };
  });
}

/** A night comes when the operation of the row is over. */
function afterCase(matrix: WorkflowMatrix, play: OperationPlay): Case {
  const { row } = play;
  return nightCase(matrix, play, `after/${row.name}`, async (guest) => {
    guest.lead((_call, work) => work());
    const operation = await guest.operate({ kind: row.kind, id: 'first', ...row.details });
    const night = await askNight(guest);
    return { nights: [{ night, expected: row.end === 'gone' ? 'NotFound' : stateIn(row.end) }], operation };
  });
}

/** A night comes in the phase in which the row begins, when nothing runs. */
function atRestCase(matrix: WorkflowMatrix, play: OperationPlay): Case {
  return nightCase(matrix, play, `at rest/before ${play.row.name}`, async (guest) => {
    guest.lead((_call, work) => work());
    return { nights: [{ night: await askNight(guest), expected: stateIn(guest.state.phase) }] };
  });
}

function playOf(plays: readonly OperationPlay[], name: string): OperationPlay {
  const play = plays.find(({ row }) => row.name === name);
  if (play === undefined) throw new Error(`there is no row ${name}`);
  return play;
}

/** All of them. */
export function nightCases(matrix: WorkflowMatrix, plays: readonly OperationPlay[]): Case[] {
  const [backup, stop] = [playOf(plays, 'backup'), playOf(plays, 'stop')];
  return [
    ...plays.flatMap((play) => {
      const last = play.forward.length - 1;
      return [
        ...[...new Set([0, last])].map((index) => besideCase(matrix, play, index, 'goes on')),
        // What a removal could not do is in its list, and a night then is one of a guest that needs cleanup.
        ...(play.row.isRemoval === true ? [] : [besideCase(matrix, play, last, 'fails')]),
        afterCase(matrix, play),
        atRestCase(matrix, play),
      ];
    }),
    ...overlapCases(matrix, backup, stop),
    ...killedCases(matrix, backup),
    ...[true, false].map((isPaused) => missedCase(matrix, backup, isPaused)),
  ];
}
