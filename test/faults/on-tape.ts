/** An activity that no tape has is one that nothing here has tried. */
import type { Case } from './case.ts';
import type { OperationPlay } from './operation-tape.ts';
import type { Tape } from './tape.ts';
import { CALLED_BY_RECIPES } from './recipe-faults.ts';
import { CALLED_BY_RENEWALS } from './renewal-faults.ts';
import { activityNames } from './world.ts';

/** They change nothing of a guest: looks, and what an operator does before the first order. */
const NO_CHANGE = new Set([
  'preflight',
  'prepare',
  'dom0Facts',
  'domains',
  'audit',
  'inspectGuest',
  'lookAtUsage',
  'findGuest',
  'findForeign',
  'listGolden',
  'leftoversOf',
  'whyNotIdle',
  'openConsole',
  'openFiles',
]);

/** A case for each activity of a dom0 that changes something. */
export function activityCases({ forward, undo, cleanup }: Tape, plays: readonly OperationPlay[]): Case[] {
  const entries = [...forward, ...undo.flat(), ...cleanup, ...plays.flatMap((play) => [...play.forward, ...play.undo.flat()])];
  const taped = new Set([...CALLED_BY_RECIPES, ...CALLED_BY_RENEWALS, ...entries.map(({ activity }) => activity)]);
  return activityNames()
    .filter((activity) => !NO_CHANGE.has(activity))
    .map((activity) => ({
      name: `on a tape/${activity}`,
      run: () =>
        Promise.resolve({
          end: 'as ordered' as const,
          complaints: taped.has(activity) ? [] : [`no order and no row of test/faults/operation-rows.ts calls ${activity}`],
        }),
    }));
}
