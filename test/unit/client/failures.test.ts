import { ScheduleNotFoundError, WorkflowNotFoundError } from '@temporalio/client';
import { expect, it } from 'vitest';
import { toGuestflowError } from '../../../client/failures.ts';

it.each([
  ['a workflow', new WorkflowNotFoundError('workflow not found', 'guest/x', undefined)],
  ['a schedule', new ScheduleNotFoundError('schedule not found', 'nightly/x')],
])('%s that there is not is NotFound, and says what is', (_what, error) => {
  expect(toGuestflowError(error, 'nightly backup of x', '127.0.0.1:7233')).toMatchObject({
    type: 'NotFound',
    message: 'there is no nightly backup of x',
    details: { mend: expect.stringContaining('guestflow list') as string },
  });
});

it('a request that Temporal itself cut off is nobody’s cancellation: it may be asked again', () => {
  const cut = Object.assign(new Error('1 CANCELLED: context canceled'), { code: 1, details: 'context canceled', metadata: {} });
  expect(toGuestflowError(cut, 'guest x', '127.0.0.1:7233')).toMatchObject({
    type: 'Unreachable',
    message: expect.stringContaining('guest x') as string,
    details: { mend: expect.stringContaining('ask again') as string },
  });
});
