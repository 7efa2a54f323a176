/** What a person is told of a step whose worker went away. */
import { ActivityFailure, ApplicationFailure, RetryState, TimeoutFailure, TimeoutType } from '@temporalio/common';
import { expect, it } from 'vitest';
import { inWords, isNotTaken, neverTaken } from '../../../workflows/saga/unreachable-worker.ts';
import { rootFailure } from '../../../workflows/saga/operation.ts';

function failedBy(timeoutType: TimeoutType, before?: Error): ActivityFailure {
  const timeout = new TimeoutFailure('activity timed out', undefined, timeoutType);
  Object.assign(timeout, { cause: before });
  return new ActivityFailure('Activity task failed', 'createImage', '1', RetryState.MAXIMUM_ATTEMPTS_REACHED, 'x', timeout);
}

it.each([
  ['at its only attempt', undefined],
  ['at each attempt', new TimeoutFailure('activity Heartbeat timeout', undefined, TimeoutType.HEARTBEAT)],
])('a worker that died in the middle of a step, %s, is named, with its dom0 and the step', (_when, before) => {
  const error = inWords(failedBy(TimeoutType.HEARTBEAT, before), 'xen1', 'createImage');
  expect(rootFailure(error)).toMatchObject({
    type: 'Unreachable',
    message:
      'the worker of dom0 xen1 went away in the middle of createImage, at its last attempt, too: see journalctl -u guestflow-dom0 there',
  });
});

it('what an attempt before had failed with says more', () => {
  const full = ApplicationFailure.create({ type: 'NoCapacity', message: 'vg01 is full' });
  const error = failedBy(TimeoutType.HEARTBEAT, full);
  expect(inWords(error, 'xen1', 'createImage')).toBe(error);
  expect(rootFailure(error)).toMatchObject({ type: 'NoCapacity', message: 'vg01 is full' });
});

it('a step that nobody took is offered again', () => {
  expect(isNotTaken(failedBy(TimeoutType.SCHEDULE_TO_START))).toBe(true);
  expect(isNotTaken(failedBy(TimeoutType.HEARTBEAT))).toBe(false);
});

it('a long copy that never got its turn may have waited behind others', () => {
  const day = 24 * 3_600_000;
  expect(neverTaken('xen1', 'takeBackup', day).message).toContain('busy with copies of other guests');
  expect(neverTaken('xen1', 'bootGuest', day / 48).message).not.toContain('busy');
});
