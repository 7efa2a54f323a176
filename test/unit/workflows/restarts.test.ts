import { describe, expect, it } from 'vitest';
import { nextRestart, recentRestarts, restartWarning } from '../../../workflows/restarts.ts';

const NOW = Date.parse('2026-01-01T12:00:00.000Z');
const ago = (minutes: number): string => new Date(NOW - minutes * 60_000).toISOString();

describe('a guest whose domain is gone', () => {
  it.each([
    ['the first time is started again after seconds', [], 5],
    ['a second time within an hour, after a minute', [ago(10)], 60],
    ['a third time, after five minutes', [ago(10), ago(5)], 300],
    ['again after more than an hour, as if for the first time', [ago(61), ago(90), ago(200)], 5],
  ])('%s', (_what, restarts, seconds) => {
    expect(nextRestart(restarts, NOW)).toBe(new Date(NOW + seconds * 1000).toISOString());
  });

  it('a fourth time within an hour is left stopped, and an operator is told', () => {
    expect(nextRestart([ago(50), ago(10), ago(5)], NOW)).toBeUndefined();
    expect(restartWarning(NOW)).toContain('4 times within an hour');
  });

  it('forgets what is older than an hour', () => {
    expect(recentRestarts([ago(59), ago(60)], NOW)).toEqual([ago(59)]);
  });
});
