/** What every case of a night is made of. */
import { ApplicationFailure } from '@temporalio/common';
import type { NightState } from '../../contract/nights.ts';
import type { GuestPhase } from '../../contract/guest.ts';
import { GuestAtRest } from './at-rest.ts';
import type { Case } from './case.ts';
import { askNight, heard, nightVerdict, type AskedNight, type NightStory } from './night.ts';
import { nameFor, type OperationPlay } from './operation-tape.ts';
import type { Call } from './server.ts';
import type { WorkflowMatrix } from './workflow-faults.ts';

let serial = 0;

/** A case with a guest that stands where the operation of `play` begins. */
export function nightCase(
  matrix: WorkflowMatrix,
  play: OperationPlay,
  name: string,
  act: (guest: GuestAtRest) => Promise<NightStory>,
): Case {
  return {
    name: `night/${name}`,
    run: () => {
      serial += 1;
      const guest = { matrix, server: matrix.server, name: nameFor(play.row, `n${String(serial)}`), from: play.from };
      return GuestAtRest.with(guest, async (each) => nightVerdict(each, await act(each), play.wanted));
    },
  };
}

/** As a step fails that is not tried again. */
export function failForGood(): never {
  throw ApplicationFailure.create({ type: 'ToolFailed', nonRetryable: true, message: 'it fails, for the test' });
}

/** Whether a call is the one that was made as the nth, retries apart. To be asked of each call. */
export function nth(index: number): (call: Call) => boolean {
  const counted: string[] = [];
  return ({ activityId }) => {
    if (!counted.includes(activityId)) counted.push(activityId);
    return counted.indexOf(activityId) === index;
  };
}

/** Whether it takes the backup. */
export const isBackup = ({ activity }: Call): boolean => activity === 'takeBackup';

/** A guest on its way out has no nights any more. */
export function stateIn(phase: GuestPhase): NightState {
  return ['running', 'stopped', 'suspended'].includes(phase) ? 'done' : 'skipped';
}

/** Asks for a night, and waits until the guest has heard. */
export async function nightComes(guest: GuestAtRest, run?: string): Promise<AskedNight> {
  const night = await askNight(guest, run);
  await heard(guest, night);
  return night;
}
