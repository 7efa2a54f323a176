import { randomUUID } from 'node:crypto';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { createRunner } from '../../../system/run.ts';
import { withLock } from '../../../lab/lock.ts';

test('two that want the same lock are one after the other, and the second is told that it waits', async () => {
  const name = randomUUID();
  const events: string[] = [];
  let release = (): void => undefined;
  const first = withLock(name, async () => {
    events.push('first in');
    await new Promise<void>((resolve) => {
      release = resolve;
    });
    events.push('first out');
  });
  await expect.poll(() => events).toContain('first in');
  const second = withLock(
    name,
    () => {
      events.push('second in');
      return Promise.resolve();
    },
    {
      onWait: () => {
        events.push('second waits');
        release();
      },
    },
  );
  await Promise.all([first, second]);
  expect(events).toEqual(['first in', 'second waits', 'first out', 'second in']);
});

test('work that fails gives the lock back', async () => {
  const name = randomUUID();
  await expect(withLock(name, () => Promise.reject(new Error('no')))).rejects.toThrow('no');
  expect(await withLock(name, () => Promise.resolve('in'))).toBe('in');
});

test('a wait can be cancelled', async () => {
  const name = randomUUID();
  const cancel = new AbortController();
  await withLock(name, async () => {
    const waiting = withLock(name, () => Promise.resolve(), {
      signal: cancel.signal,
      onWait: () => {
        cancel.abort(new Error('cancelled'));
      },
    });
    await expect(waiting).rejects.toThrow('cancelled');
  });
});

test('a holder that is killed holds nothing', async () => {
  const name = randomUUID();
  const lock = fileURLToPath(new URL('../../../lab/lock.ts', import.meta.url));
  const program = `import(${JSON.stringify(lock)}).then(({ withLock }) => withLock(${JSON.stringify(name)}, async () => { process.kill(process.pid, 'SIGKILL'); }));`;
  await expect(createRunner().run(process.execPath, ['--import', 'tsx', '--eval', program], { cwd: process.cwd() })).rejects.toThrow(
    'SIGKILL',
  );
  expect(await withLock(name, () => Promise.resolve('in'))).toBe('in');
});
