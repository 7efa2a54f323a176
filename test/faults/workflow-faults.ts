/** The rows of the matrix that only the real workflows can show, at each call of an order and of its undo. */
import { ApplicationFailure } from '@temporalio/common';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Case, Verdict } from './case.ts';
import { hearsOfCancel, Scenario, type Disturbance, type Moment } from './scenario.ts';
import type { Server } from './server.ts';
import { TAKEN_MS } from './short-limits.ts';
import { isLook, type Matrix } from './step-faults.ts';
import { breakTool, type UndoPlay } from './undo-faults.ts';
import { placesIn, type Entry, type PlaceOnTape } from './tape.ts';

export interface WorkflowMatrix extends Matrix {
  readonly server: Server;
  /** Dom0s whose workers are there all the time. */
  readonly hosts: readonly string[];
}

/** A call of an order (`undo: false`) or of the undo after its last step failed. */
export interface Place extends PlaceOnTape {
  readonly isUndo: boolean;
}

export function placesOf(entries: readonly Entry[], isUndo: boolean): Place[] {
  return placesIn(entries).map((place) => ({ ...place, isUndo }));
}

let serial = 0;

/** A case on a fresh dom0. `disturb` makes what happens; `mend` puts right what stays broken. */
function scenarioCase(
  matrix: WorkflowMatrix,
  name: string,
  disturb: (place: { isLastStep: (moment: Moment) => boolean }) => Disturbance,
  options: { host?: string; mend?: (scenario: Scenario) => Promise<void> | void; end?: Verdict['end'] } = {},
): Case {
  return {
    name,
    async run() {
      serial += 1;
      const host = options.host ?? matrix.hosts[serial % matrix.hosts.length] ?? '';
      const last = placesOf(matrix.tape.forward, false).at(-1)?.key;
      const scenario = await Scenario.create(matrix, `case${String(serial)}`, host, disturb({ isLastStep: ({ key }) => key === last }));
      try {
        const verdict = await scenario.play(() => options.mend?.(scenario));
        const wrongEnd = options.end === undefined || options.end === verdict.end ? [] : [`it ended ${verdict.end}, not ${options.end}`];
        const undisturbed = scenario.isDisturbed ? [] : ['what was to disturb it did not happen'];
        return { ...verdict, complaints: [...wrongEnd, ...undisturbed, ...verdict.complaints] };
      } finally {
        await scenario.end();
      }
    },
  };
}

export function failForGood(message: string): never {
  throw ApplicationFailure.create({ type: 'ToolFailed', nonRetryable: true, message });
}

/** Lets something happen at a place, once; for places of the undo, the order's last step fails. */
function at({ key, isUndo }: Place, isLastStep: (moment: Moment) => boolean, disturbance: Disturbance): Disturbance {
  let isUsed = false;
  return {
    async before(moment) {
      if (isUndo && isLastStep(moment)) failForGood('the last step fails, for the undo');
      if (moment.key !== key || isUsed) return;
      isUsed = disturbance.after === undefined;
      moment.scenario.isDisturbed = isUsed;
      await disturbance.before?.(moment);
    },
    async after(moment) {
      if (moment.key !== key || isUsed) return;
      isUsed = true;
      moment.scenario.isDisturbed = true;
      await disturbance.after?.(moment);
    },
  };
}

/** Each time that it is attempted. */
function always({ key, isUndo }: Place, isLastStep: (moment: Moment) => boolean, act: (moment: Moment) => void): Disturbance {
  return {
    before(moment) {
      if (isUndo && isLastStep(moment)) failForGood('the last step fails, for the undo');
      if (moment.key !== key) return;
      moment.scenario.isDisturbed = true;
      act(moment);
    },
  };
}

function named(group: string, { key, isUndo }: Place, what: string): string {
  return `${group}/${isUndo ? 'undo ' : ''}${key}/${what}`;
}

function fails(): never {
  throw ApplicationFailure.create({ type: 'ToolFailed', message: 'it fails, for the test' });
}

/** A call that fails for good: a step's failure was seen when the tape was made. And a call that was done but whose answer is lost. */
function failureCases(matrix: WorkflowMatrix, places: readonly Place[]): Case[] {
  return places.flatMap((place, index) => [
    place.isUndo
      ? scenarioCase(matrix, named('fails', place, 'each time'), ({ isLastStep }) => always(place, isLastStep, fails), {
          end: 'needs cleanup, then as before',
        })
      : {
          name: named('fails', place, 'for good'),
          run: () => Promise.resolve({ end: 'as before' as const, complaints: matrix.tape.complaints[index] ?? ['it is not on the tape'] }),
        },
    scenarioCase(matrix, named('fails', place, 'its answer is lost'), ({ isLastStep }) => at(place, isLastStep, { after: fails }), {
      end: place.isUndo ? 'as before' : 'as ordered',
    }),
  ]);
}

/** By the command that asks the guest, or in Temporal's own way; heard by the step, or not. */
function cancelCases(matrix: WorkflowMatrix, places: readonly Place[]): Case[] {
  // At the last step a cancellation that nobody hears comes too late.
  const lastStep = matrix.tape.forward.at(-1);
  return places.flatMap((place) => {
    const unheard = scenarioCase(
      matrix,
      named('cancel', place, 'unheard'),
      ({ isLastStep }) => at(place, isLastStep, { before: ({ scenario }) => scenario.cancel() }),
      place.entry === lastStep ? {} : { end: 'as before' },
    );
    const cancelInTheUi = async ({ scenario }: Moment): Promise<void> => {
      await scenario.server.handle(scenario.name).cancel();
      await hearsOfCancel();
    };
    const heard = scenarioCase(
      matrix,
      named('cancel', place, 'of the workflow, heard'),
      ({ isLastStep }) => at(place, isLastStep, { before: cancelInTheUi }),
      { end: 'as before' },
    );
    return place.entry.isControl || place.isUndo ? [unheard] : [unheard, heard];
  });
}

/** The file system takes no more changes from a step on, until an operator mends it and cleans up. Other conditions: the cases of single steps. */
function conditionCases(matrix: WorkflowMatrix, places: readonly Place[]): Case[] {
  const writes = ({ entry }: Place): boolean =>
    (matrix.rehearsals.find((rehearsal) => rehearsal.entry === entry)?.calls ?? []).some((call) => !isLook(call));
  return places
    .filter((place) => !place.isUndo && writes(place))
    .map((place) =>
      scenarioCase(matrix, named('stays', place, 'readOnlyFs'), ({ isLastStep }) =>
        at(place, isLastStep, {
          before: ({ scenario }) => {
            scenario.world.dom0.faults.readOnlyFs = true;
          },
        }),
      ),
    );
}

/** The last step fails, and from then on a tool that only the undo needs does, until an operator mends it and cleans up. */
export function brokenUndoScenarios(matrix: WorkflowMatrix, plays: readonly UndoPlay[]): Case[] {
  return (plays.at(-1)?.ownVerbs ?? []).map((verb) =>
    scenarioCase(
      matrix,
      `stays/undo/${verb} fails each time`,
      ({ isLastStep }) => ({
        before(moment) {
          if (!isLastStep(moment)) return;
          moment.scenario.isDisturbed = true;
          breakTool(moment.scenario.world, verb);
          failForGood('the last step fails, for the undo');
        },
      }),
      { end: 'needs cleanup, then as before' },
    ),
  );
}

/**
 * The dom0's worker goes after a call, for a while or for longer than anybody waits. It goes in the middle of the order's last step: an order whose last
 * step is done runs, and only its first backup waits for the worker.
 */
function awayCases(matrix: WorkflowMatrix, places: readonly Place[]): Case[] {
  const lastStep = matrix.tape.forward.findLast(({ isControl }) => !isControl);
  return places
    .filter(({ entry }) => !entry.isControl)
    .flatMap((place) =>
      (place.isUndo ? (['for too long'] as const) : (['for a while', 'for too long'] as const)).map((how): Case => {
        const host = `away-${named('', place, how)
          .toLowerCase()
          .replaceAll(/[^a-z0-9]+/g, '-')
          .replaceAll(/^-|-$/g, '')}`;
        let isBack = Promise.resolve();
        const leave = async ({ scenario }: Moment): Promise<void> => {
          isBack = (async () => {
            await scenario.server.stopWorkers(host);
            if (how === 'for too long') return;
            await sleep(TAKEN_MS * 0.5);
            await scenario.server.startWorkers(host);
          })();
          if (place.entry !== lastStep) return;
          await hearsOfCancel();
          fails();
        };
        const inner = scenarioCase(matrix, named('away', place, how), ({ isLastStep }) => at(place, isLastStep, { before: leave }), {
          host,
          ...(how === 'for a while' ? { end: place.isUndo ? ('as before' as const) : ('as ordered' as const) } : {}),
          mend: async ({ server }) => server.startWorkers(host),
        });
        return {
          name: inner.name,
          async run() {
            await matrix.server.serve(host);
            return inner.run().finally(() => isBack.then(() => matrix.server.stopWorkers(host)));
          },
        };
      }),
    );
}

function allPlaces({ tape }: WorkflowMatrix): Place[] {
  return [...placesOf(tape.forward, false), ...placesOf(tape.undo.at(-1) ?? [], true)];
}

/** Those that wait, most of the time. */
export function waitingCases(matrix: WorkflowMatrix): Case[] {
  return awayCases(matrix, allPlaces(matrix));
}

/** Those that work, most of the time. */
export function workflowCases(matrix: WorkflowMatrix): Case[] {
  const places = allPlaces(matrix);
  return [...cancelCases(matrix, places), ...failureCases(matrix, places), ...conditionCases(matrix, places)];
}
