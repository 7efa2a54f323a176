/** What an update of a workflow that did not succeed comes to. */
import { expect, it } from 'vitest';
import { WorkflowUpdateFailedError } from '@temporalio/client';
import { ApplicationFailure } from '@temporalio/common';
import { isLost, unwrapped } from '../../activities/refusals.ts';

function failed(type: string): WorkflowUpdateFailedError {
  return new WorkflowUpdateFailedError('Workflow Update failed', ApplicationFailure.create({ type, nonRetryable: true, message: 'no' }));
}

it('a refusal keeps its type and is final', () => {
  expect(unwrapped(failed('NoCapacity'))).toMatchObject({ type: 'NoCapacity', nonRetryable: true });
  expect(isLost(failed('NoCapacity'))).toBe(false);
});

it('an update that no worker looked at, since its worker was restarted, is no refusal: the activity is tried again', () => {
  const lost = failed('UnprocessedUpdate');
  expect(unwrapped(lost)).toBe(lost);
  expect(unwrapped(lost)).not.toBeInstanceOf(ApplicationFailure);
  expect(isLost(lost)).toBe(true);
});
