/** Which errors of an update mean that it was lost, and that it is sent again. The shapes are those of the server (1.32) and the SDK (1.24). */
import { ServiceError } from '@temporalio/client';
import { WorkflowNotFoundError } from '@temporalio/common';
import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { untilStartedAndTaken, untilTakenByLedger } from '../../../client/lost-updates.ts';

/** As grpc-js makes it. */
function grpc(code: number, message: string): Error {
  return Object.assign(new Error(`${String(code)} ${message}`), { code, details: message });
}

const COULD_NOT = grpc(5, 'NOT_FOUND: Update-with-Start could not be executed.');
const COMPLETED = new WorkflowNotFoundError('workflow execution already completed', 'dom0/xen1', undefined);
const NOBODY = new WorkflowNotFoundError('workflow not found for ID: dom0/xen1', 'dom0/xen1', undefined);
const ABORTED = new ServiceError('Update-With-Start failed', { cause: grpc(14, 'workflow update was aborted by closing workflow') });
const AWAY = new ServiceError('Update-With-Start failed', { cause: grpc(14, 'No connection established') });
const FORBIDDEN = grpc(7, 'PERMISSION_DENIED');

/** How often it was sent. */
async function sent(way: typeof untilStartedAndTaken, error: Error): Promise<number> {
  let count = 0;
  await way(() => {
    count += 1;
    return count === 1 ? Promise.reject(error) : Promise.resolve('taken');
  }).catch(() => undefined);
  return count;
}

describe('an update-with-start', () => {
  it.each([
    ['could not be executed, since the ledger continued as new', COULD_NOT],
    ['met a run that was over', COMPLETED],
    ['found nobody, between two runs', NOBODY],
    ['was aborted by a closing run', ABORTED],
  ])('that %s is sent again', async (_what, error) => {
    expect(await sent(untilStartedAndTaken, error)).toBe(2);
  });

  it.each([
    ['no connection', AWAY],
    ['no permission', FORBIDDEN],
  ])('that has %s is not', async (_what, error) => {
    expect(await sent(untilStartedAndTaken, error)).toBe(1);
  });

  it('is made by nobody but through the function that sends it again', () => {
    for (const folder of ['activities', 'client', 'gateway', 'cli', 'worker'])
      for (const file of readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.ts'))) {
        const text = readFileSync(`${folder}/${file}`, 'utf8');
        const made = text.match(/\.(?:execute|start)UpdateWithStart\b/g)?.length ?? 0;
        const sentAgain = text.match(/\buntilStartedAndTaken\(/g)?.length ?? 0;
        expect([`${folder}/${file}`, sentAgain >= made]).toEqual([`${folder}/${file}`, true]);
      }
  });
});

describe('an update of a ledger', () => {
  it('is sent again when its run was over; when there is no such ledger, that is the answer', async () => {
    expect(await sent(untilTakenByLedger, COMPLETED)).toBe(2);
    expect(await sent(untilTakenByLedger, ABORTED)).toBe(2);
    expect(await sent(untilTakenByLedger, NOBODY)).toBe(1);
  });
});
