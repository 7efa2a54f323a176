/** What `guestflow notify test` does. */
import { randomUUID } from 'node:crypto';
import { loadNotify } from '../activities/control/notify/receiver.ts';
import { GuestflowError } from '../contract/errors.ts';
import type { NotifyTestOptions } from './commands/notify.ts';
import { printJson, printLine, type Io } from './io.ts';

/** Exit code when a receiver did not take it. */
const FAILED = 1;

/** @returns the exit code: 1 when a receiver did not take the message; undefined when all did */
export async function testNotify(
  io: Io,
  { file = io.env['GUESTFLOW_NOTIFY'] ?? '', json }: NotifyTestOptions,
): Promise<number | undefined> {
  if (file === '')
    throw new GuestflowError('InvalidInput', 'no file says who is told', {
      field: 'file',
      mend: 'name it with --file or GUESTFLOW_NOTIFY',
    });
  const { operators } = await loadNotify(file);
  if (operators.channels.length === 0)
    throw new GuestflowError('InvalidInput', `${file} names no operators: nobody would be told`, {
      field: 'operators',
      mend: 'deploy/billing/notify.yaml shows how',
    });
  const id = `test-${randomUUID()}`;
  const results = await Promise.all(
    operators.channels.map(async (channel) => {
      const notification = { id: `${id}-${channel}`, type: 'operators.problems', timestamp: new Date().toISOString(), channel } as const;
      try {
        const answer = await operators.send({ ...notification, data: { begun: [{ kind: 'test', subjects: ['test'] }], over: [] } });
        return { channel, isTaken: true, answer };
      } catch (error) {
        return { channel, isTaken: false, answer: error instanceof Error ? error.message : 'it failed' };
      }
    }),
  );
  if (json) printJson(io, results);
  else for (const { channel, isTaken, answer } of results) printLine(io, `${channel}: ${isTaken ? '' : 'NOT taken: '}${answer}`);
  return results.every(({ isTaken }) => isTaken) ? undefined : FAILED;
}
