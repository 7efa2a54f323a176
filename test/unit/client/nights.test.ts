/** What a person is shown of a guest's nights. */
import { describe, expect, it } from 'vitest';
import { nightsOf, type NightlyClock } from '../../../client/guests/nights.ts';
import type { NightRecord } from '../../../contract/nights.ts';

const NOW = Date.parse('2026-03-10T12:00:00.000Z');
const CLOCK: NightlyClock = { hour: 3, minute: 17, since: '2026-03-06T10:00:00.000Z', isPaused: false };

function done(day: number, takenAt = `2026-03-${String(day).padStart(2, '0')}T03:17:05.000Z`): NightRecord {
  const due = `2026-03-${String(day).padStart(2, '0')}T03:17:00.000Z`;
  return { due, state: 'done', askedAt: due, takenAt, endedAt: takenAt };
}

describe('nights of a guest', () => {
  it('are those that it remembers', () => {
    const records = [done(7), done(8), done(9), done(10)];
    expect(nightsOf(records, CLOCK, NOW)).toEqual(records);
  });

  it('that it never heard of were missed: none before its Schedule was made, none whose time has not passed', () => {
    const nights = nightsOf([done(8)], CLOCK, NOW);
    expect(nights.map(({ due, state }) => [due.slice(0, 16), state])).toEqual([
      ['2026-03-07T03:17', 'missed'],
      ['2026-03-08T03:17', 'done'],
      ['2026-03-09T03:17', 'missed'],
      ['2026-03-10T03:17', 'missed'],
    ]);
    expect(nightsOf([], { ...CLOCK, isPaused: true }, NOW)[0]?.reason).toBe('its Schedule is paused');
    expect(nightsOf([done(7), done(8), done(9)], CLOCK, Date.parse('2026-03-10T03:20:00.000Z'))).toHaveLength(3);
  });

  it('whose snapshot was taken an hour or more after its time, or is not taken yet, are late', () => {
    const waiting: NightRecord = { due: '2026-03-10T03:17:00.000Z', state: 'waiting', askedAt: '2026-03-10T03:17:00.000Z' };
    const nights = nightsOf([done(7), done(8, '2026-03-08T04:16:59.000Z'), done(9, '2026-03-09T04:17:00.000Z'), waiting], CLOCK, NOW);
    expect(nights.map(({ lateMinutes }) => lateMinutes)).toEqual([undefined, undefined, 60, 523]);
  });

  it('are thirty at most, and none that it has forgotten counts as missed', () => {
    const records = Array.from({ length: 30 }, (_, index): NightRecord => {
      const due = new Date(NOW - (30 - index) * 86_400_000).toISOString();
      return { due, state: 'done', askedAt: due };
    });
    const clock = { hour: 12, minute: 0, since: '2025-01-01T00:00:00.000Z', isPaused: false };
    expect(nightsOf(records, clock, NOW)).toEqual(records);
  });

  it('of a guest without a Schedule are what it remembers', () => {
    expect(nightsOf([done(7)], undefined, NOW)).toEqual([done(7)]);
  });
});
