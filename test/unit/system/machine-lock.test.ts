import { randomUUID } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { machineLock, tryMachineLock } from '../../../system/machine-lock.ts';

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
});
