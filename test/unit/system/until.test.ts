import { describe, expect, it } from 'vitest';
import { until } from '../../../system/until.ts';

/** What it shows at each look; the last one again and again. */
function shows<T>(...values: T[]): { look: () => T; looked: () => number } {
  let looked = 0;
  return { look: () => values[Math.min(looked++, values.length - 1)]!, looked: () => looked };
}

describe('waiting until there is something to see', () => {
  it('gives what was seen, and looks no more', async () => {
    const { look, looked } = shows(undefined, undefined, 'there');
    expect(await until(look, { everyMs: 1 })).toBe('there');
    expect(looked()).toBe(3);
  });

  it('does not wait for what is there at once', async () => {
    expect(await until(() => Promise.resolve('there'), { everyMs: 3_600_000 })).toBe('there');
  });

  it('takes false for "not yet", and nothing else but undefined', async () => {
    expect(await until(shows<boolean>(false, true).look, { everyMs: 1 })).toBe(true);
    expect(await until(shows<number | undefined>(undefined, 0).look, { everyMs: 1 })).toBe(0);
    expect(await until(shows<string | undefined>(undefined, '').look, { everyMs: 1 })).toBe('');
  });

  it('looks once more when the limit has passed, and then says that nothing came', async () => {
    const { look, looked } = shows<string | undefined>(undefined);
    expect(await until(look, { everyMs: 3_600_000, limitMs: 5 })).toBeUndefined();
    expect(looked()).toBe(2);
    expect(await until(shows(undefined, 'at the end').look, { everyMs: 3_600_000, limitMs: 5 })).toBe('at the end');
  });

  it('looks once when there is no time at all', async () => {
    const { look, looked } = shows<string | undefined>(undefined);
    expect(await until(look, { everyMs: 1, limitMs: 0 })).toBeUndefined();
    expect(looked()).toBe(1);
  });

  it('ends with the reason of the signal, whether that fires while it rests or before', async () => {
    const reason = new Error('told to stop');
    const stop = new AbortController();
    const waiting = until(() => false, { everyMs: 3_600_000, signal: stop.signal });
    stop.abort(reason);
    await expect(waiting).rejects.toBe(reason);
    await expect(until(() => false, { everyMs: 1, signal: stop.signal })).rejects.toBe(reason);
  });

  it('ends with the error of the look', async () => {
    await expect(until(() => Promise.reject(new Error('gone')), { everyMs: 1 })).rejects.toThrow('gone');
  });
});
