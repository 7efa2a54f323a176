/** nightlyBackup: what the Schedule of a guest starts, and the trace of that night in the UI. The guest itself takes the backup. */
import { ApplicationFailure, condition, isCancellation, setCurrentDetails, workflowInfo } from '@temporalio/workflow';
import { defineSearchAttributeKey } from '@temporalio/common';
import { GUEST_SIGNALS, guestWorkflowId, NIGHT_SIGNALS } from '../../contract/names.ts';
import type { NightRecord } from '../../contract/nights.ts';
import type { GuestRef } from '../../contract/guest.ts';
import { onSignal, signalTo } from '../saga/handlers.ts';
import { NIGHT } from '../saga/time-limits.ts';
import { declareVersioning } from '../saga/versioning.ts';

/** Set by Temporal on what a Schedule starts: the time at which it was to start. */
const scheduledKey = defineSearchAttributeKey('TemporalScheduledStartTime', 'DATETIME');

/**
 * Asks the guest for this night's backup, and waits for its answer as a workflow waits: no slot of a worker is held.
 *
 * It asks again from time to time. A guest takes each night only once, so asking again does no harm; it finds out whether the guest still exists and
 * still remembers.
 *
 * @returns how the night ended: the backup was taken, or it was not to be taken (`skipped`, `overlapped`)
 * @throws ApplicationFailure of the backup's own type; `NotFound` when there is no such guest (any more); `Unreachable` when it never answered
 */
export async function nightlyBackup({ name, order }: GuestRef): Promise<NightRecord> {
  const { workflowId, startTime, typedSearchAttributes } = workflowInfo();
  const due = (typedSearchAttributes.get(scheduledKey) ?? startTime).toISOString();
  let answer: NightRecord | undefined;
  onSignal(NIGHT_SIGNALS.answer, (night) => {
    if (night.due === due) answer ??= night;
  });
  setCurrentDetails(`Night of ${due}: **${name}** is asked for its backup; it waits for its turn`);
  const endsAt = Date.now() + NIGHT.patienceMs;
  while (answer === undefined && Date.now() < endsAt) {
    await signalTo(guestWorkflowId(name), GUEST_SIGNALS.night, { due, order, answerTo: workflowId }).catch((error: unknown) => {
      if (isCancellation(error)) throw error;
      throw failure('NotFound', `there is no guest ${name} any more: its workflow is over, and no backup was taken`);
    });
    await condition(() => answer !== undefined, NIGHT.askAgainMs);
  }
  if (answer === undefined)
    throw failure(
      'Unreachable',
      `guest ${name} has not answered within ${NIGHT.patienceMs / 3_600_000} hours: see its workflow ${guestWorkflowId(name)}`,
    );
  const { state, reason, error = 'ToolFailed' } = answer;
  setCurrentDetails(`Night of ${due}: **${name}** ${state}${reason === undefined ? '' : `: ${reason}`}`);
  if (state === 'failed') throw failure(error, reason ?? 'the backup failed');
  return answer;
}

function failure(type: string, message: string): ApplicationFailure {
  return ApplicationFailure.create({ type, nonRetryable: true, message });
}

declareVersioning('PINNED', nightlyBackup);
