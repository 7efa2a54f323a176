/** A password that is typed. */
import { PassThrough } from 'node:stream';
import { describe, expect, it } from 'vitest';
import { askForPassword } from '../../../cli/access.ts';
import type { Io } from '../../../cli/io.ts';

function terminal(...typed: string[]): { io: Io; shown: () => string } {
  const [stdin, stdout, stderr] = [new PassThrough(), new PassThrough(), new PassThrough()];
  const shown: string[] = [];
  for (const stream of [stdout, stderr]) stream.on('data', (chunk: Buffer) => shown.push(chunk.toString('utf8')));
  for (const keys of typed) stdin.write(keys);
  const io: Io = { stdin: Object.assign(stdin, { isTTY: true }), stdout, stderr, env: {}, onInterrupt: () => () => undefined };
  return { io, shown: () => shown.join('') };
}

describe('a password that is typed', () => {
  it.each([
    [['hunter2\r', 'hunter2\r'], 'hunter2'],
    // Pasted whole, and with a slip that was taken back.
    [['correct horse\rcorrect horsf\u007fe\r'], 'correct horse'],
    [['пароль\r', 'пароль\r'], 'пароль'],
  ])('as %j is taken, and shown nowhere', async (typed, password) => {
    const { io, shown } = terminal(...typed);
    expect(await askForPassword(io, 'web1')).toBe(password);
    expect(shown()).toBe('New password of root in web1: \nOnce more: \n');
  });

  it('another way the second time is refused', async () => {
    const { io, shown } = terminal('hunter2\r', 'hunter3\r');
    await expect(askForPassword(io, 'web1')).rejects.toMatchObject({ type: 'InvalidInput', details: { field: 'password' } });
    expect(shown()).not.toContain('hunter');
  });

  it.each([['hunter2\u0003'], ['\u0004'], ['hunter2\r\u0003']])('and ended by %j is none', async (keys) => {
    const { io } = terminal(keys);
    await expect(askForPassword(io, 'web1')).rejects.toMatchObject({ type: 'Cancelled' });
  });
});
