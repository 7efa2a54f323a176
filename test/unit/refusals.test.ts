/** What an update of a workflow that did not succeed comes to. */
import { expect, it } from 'vitest';
import { WorkflowUpdateFailedError } from '@temporalio/client';
import { ApplicationFailure } from '@temporalio/common';
import { unwrapped } from '../../activities/control/refusals.ts';
import { toGuestflowError } from '../../client/failures.ts';
import { isLostUpdate, untilTaken } from '../../client/lost-updates.ts';
import type { Session } from '../../client/session.ts';
import { operateFor } from '../../client/guests/operate.ts';

function failed(type: string): WorkflowUpdateFailedError {
  return new WorkflowUpdateFailedError('Workflow Update failed', ApplicationFailure.create({ type, nonRetryable: true, message: 'no' }));
}

it('a refusal keeps its type and is final', () => {
  expect(unwrapped(failed('NoCapacity'))).toMatchObject({ type: 'NoCapacity', nonRetryable: true });
  expect(isLostUpdate(failed('NoCapacity'))).toBe(false);
});

it('an update that no worker looked at, since its worker was restarted, is no refusal: the activity is tried again', () => {
  const lost = failed('UnprocessedUpdate');
  expect(unwrapped(lost)).toBe(lost);
  expect(unwrapped(lost)).not.toBeInstanceOf(ApplicationFailure);
  expect(isLostUpdate(lost)).toBe(true);
});

it('a client sends an update that was lost again, and nothing else; in the end it says that no worker answers', async () => {
  const lost = failed('UnprocessedUpdate');
  let sent = 0;
  const send = (errors: readonly Error[]) => (): Promise<string> => {
    const error = errors[sent];
    sent += 1;
    return error === undefined ? Promise.resolve('answered') : Promise.reject(error);
  };
  expect(await untilTaken(send([lost, lost]))).toBe('answered');
  expect(sent).toBe(3);
  sent = 0;
  await expect(untilTaken(send([failed('Busy'), lost]))).rejects.toMatchObject({ cause: { type: 'Busy' } });
  expect(sent).toBe(1);
  expect(toGuestflowError(lost, 'guest x', '127.0.0.1:7233')).toMatchObject({ type: 'Unreachable' });
});

it('an operation of billing that was lost is asked for again: it has not failed', async () => {
  const handle = { startUpdate: () => Promise.resolve({ result: () => Promise.reject(failed('UnprocessedUpdate')) }) };
  const session = {
    client: { workflow: { getHandle: () => handle } },
    call: (_subject: string, work: () => Promise<unknown>) => work(),
  } as unknown as Session;
  expect(await operateFor(session, 'x', { kind: 'stop', id: 'billing-1' }, 3_000)).toEqual({ state: 'pending' });
});
