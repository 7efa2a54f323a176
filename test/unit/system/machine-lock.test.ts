import { randomUUID } from 'node:crypto';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { machineLock, tryMachineLock, withMachineLock } from '../../../system/machine-lock.ts';
import { createRunner } from '../../../system/run.ts';

describe('a lock of the machine', () => {
  it('is one holder’s at a time, and free again once released', async () => {
    const name = `test/${randomUUID()}`;
    const first = await tryMachineLock(name);
    expect(first).toBeDefined();
    expect(await tryMachineLock(name)).toBeUndefined();
    await first?.release();
    const second = await tryMachineLock(name);
    expect(second).toBeDefined();
    await second?.release();
  });

  it('can be waited for', async () => {
    const name = `test/${randomUUID()}`;
    const first = await tryMachineLock(name);
    const waiting = machineLock(name, 30_000);
    await first?.release();
    const second = await waiting;
    expect(second).toBeDefined();
    await second?.release();
  });

  it('is not waited for beyond the limit', async () => {
    const name = `test/${randomUUID()}`;
    const first = await tryMachineLock(name);
    expect(await machineLock(name, 0)).toBeUndefined();
    await first?.release();
  });

  it('tells long names apart, which the kernel would not take whole', async () => {
    const name = `test/${randomUUID()}/${'x'.repeat(200)}`;
    const [one, other] = [await tryMachineLock(`${name}1`), await tryMachineLock(`${name}2`)];
    expect(one).toBeDefined();
    expect(other).toBeDefined();
    expect(await tryMachineLock(`${name}1`)).toBeUndefined();
    await Promise.all([one?.release(), other?.release()]);
  });
});

describe('work under a lock of the machine', () => {
  it('is done one after the other, and the second is told that it waits', async () => {
    const name = randomUUID();
    const events: string[] = [];
    let release = (): void => undefined;
    const first = withMachineLock(name, async () => {
      events.push('first in');
      await new Promise<void>((resolve) => {
        release = resolve;
      });
      events.push('first out');
    });
    await expect.poll(() => events).toContain('first in');
    const second = withMachineLock(
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

  it('gives the lock back when it fails', async () => {
    const name = randomUUID();
    await expect(withMachineLock(name, () => Promise.reject(new Error('no')))).rejects.toThrow('no');
    expect(await withMachineLock(name, () => Promise.resolve('in'))).toBe('in');
  });

  it('can be cancelled while it waits', async () => {
    const name = randomUUID();
    const cancel = new AbortController();
    await withMachineLock(name, async () => {
      const waiting = withMachineLock(name, () => Promise.resolve(), {
        signal: cancel.signal,
        onWait: () => {
          cancel.abort(new Error('cancelled'));
        },
      });
      await expect(waiting).rejects.toThrow('cancelled');
    });
  });

  it('holds nothing once its process was killed', async () => {
    const name = randomUUID();
    const lock = fileURLToPath(new URL('../../../system/machine-lock.ts', import.meta.url));
    const program = `import(${JSON.stringify(lock)}).then(({ withMachineLock }) => withMachineLock(${JSON.stringify(name)}, async () => { process.kill(process.pid, 'SIGKILL'); }));`;
    await expect(createRunner().run(process.execPath, ['--import', 'tsx', '--eval', program], { cwd: process.cwd() })).rejects.toThrow(
      'SIGKILL',
    );
    expect(await withMachineLock(name, () => Promise.resolve('in'))).toBe('in');
  });
});
