import { describe, expect, it } from 'vitest';
import { answerTo, nextRestart, recentRestarts, restartWarning } from '../../../workflows/guest/restarts.ts';

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

describe('the policy', () => {
  const often = [ago(50), ago(10), ago(5)];
  it.each([
    ['always', 'starts one that was shut down from inside', 'always', { how: 'shutdown' }, [], 'startAt'],
    ['always', 'starts one whose end nobody saw', 'always', {}, [], 'startAt'],
    ['always', 'counts what Xen has started by itself', 'always', { how: 'crash', isBack: true }, [], 'counted'],
    ['always', 'ends what Xen starts again and again', 'always', { how: 'crash', isBack: true }, often, 'leave'],
    ['on-crash', 'starts one that crashed', 'on-crash', { how: 'crash' }, [], 'startAt'],
    ['on-crash', 'starts one whose end nobody saw', 'on-crash', {}, [], 'startAt'],
    ['on-crash', 'leaves one that was shut down from inside', 'on-crash', { how: 'shutdown' }, [], 'leave'],
    ['on-crash', 'does not start one for ever', 'on-crash', { how: 'crash' }, often, 'leave'],
    ['never', 'leaves one that crashed', 'never', { how: 'crash' }, [], 'leave'],
  ] as const)('%s %s', (_policy, _what, policy, end, restarts, answer) => {
    expect(Object.keys(answerTo(policy, end, restarts, NOW))).toEqual([answer]);
  });
});
